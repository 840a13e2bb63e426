"""Reports from the ledger, as the read API and the command line give them.

Answers are bounded: what is left out of one is said in it, and never silently.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

from bursar.domain import wording
from bursar.domain.money import format_nano
from bursar.domain.time import Ms, format_time
from bursar.errors import BursarError
from bursar.report import (
    Figures,
    Rules,
    RunFigures,
    Window,
    check_labels,
    dearest,
    parse_filters,
    parse_keys,
    parse_window,
    report,
    run_to_contract,
    stretches,
    to_contract,
)
from bursar.report.contract import PLACES, hours
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.reading import Asked, Lines, Snapshot, Tally, names, runs

DEFAULT_BY = "namespace,class"
MAX_ROWS = 100_000
"""Rows of one report; a report by pod of a busy month has more, and none should fill the memory."""
RUNS = 100
"""Runs of one page, where nothing else is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an installation reports by.

    Attributes:
        rules: its currency, what turns accelerator time into other figures.
        labels: keys of pods' labels that it keeps, besides those that the ledger has already.
    """

    rules: Rules
    labels: tuple[str, ...] = ()


def parse_zone(name: str | None) -> tzinfo:
    """Find a time zone by its IANA name; UTC where none is given.

    Raises:
        BursarError: there is no such zone.
    """
    zone = wording.zone(name) if name else UTC
    if zone is None:
        raise BursarError(f"no time zone {(name or '')[:60]!r}: write one such as Europe/Berlin")
    return zone


def window_of(query: Mapping[str, str], now: Ms) -> Window:
    """From when to when a query asks (`month`, or `from` and `to`, in `timezone`).

    Raises:
        BursarError: it cannot be read.
    """
    return parse_window(
        month=query.get("month"),
        since=query.get("from"),
        until=query.get("to"),
        now=now,
        zone=parse_zone(query.get("timezone")),
    )


def report_of(reader: Reader, query: Mapping[str, str], terms: Terms, now: Ms) -> dict[str, Any]:
    """A report as its JSON contract says.

    Args:
        reader: of the ledger.
        query: `by`, `where`, `month`, `from`, `to`, `timezone`, `namespace`, `limit`, as people
            write them.
        terms: of the installation.
        now: what is open counts up to this moment (ms).

    Returns:
        The contract; `omitted` says how many rows were left out, where any were, and `limits` what
        cannot be told. Of one namespace, or narrowed, `idle` is null, since nodes are nobody's.

    Raises:
        BursarError: the query cannot be read.
    """
    by = parse_keys(query.get("by") or DEFAULT_BY)
    filters = parse_filters(query.get("where"))
    zone, window = parse_zone(query.get("timezone")), window_of(query, now)
    asked = Asked(
        stretches=stretches(window, by, zone),
        now=now,
        keys=by,
        filters=filters,
        namespace=query.get("namespace"),
    )
    with reader.snapshot() as snapshot:
        _check(snapshot, [*by, *(name for name, _ in filters)], terms)
        lines = Lines(snapshot, asked)
        rules = replace(terms.rules, zone=zone)
        most = int(query.get("limit") or MAX_ROWS)
        found = report(lines.pods(), lines.others(), by, window, rules, most)
        limits = lines.limits()
    answer = to_contract(found)
    if asked.narrowed:
        answer["idle"] = None
    if found.omitted:
        answer["omitted"] = {"rows": found.omitted}
    if limits:
        answer["limits"] = limits
    return answer


def _check(snapshot: Snapshot, names: Iterable[str], terms: Terms) -> None:
    """See that labels among these keys are kept."""
    named = [name for name in names if name.startswith("label:")]
    if named:
        check_labels(named, {*terms.labels, *snapshot.labels()})


def runs_of(reader: Reader, query: Mapping[str, str], terms: Terms, now: Ms) -> dict[str, Any]:
    """The runs with some of their life in a window, the dearest first.

    Args:
        reader: of the ledger.
        query: `month`, `from`, `to`, `timezone`, `namespace`, `class`, `limit`, `offset`.
        terms: of the installation.
        now: what is open counts up to this moment (ms).

    Raises:
        BursarError: the query cannot be read.
    """
    window, wanted = window_of(query, now), query.get("class")
    offset, limit = int(query.get("offset") or 0), int(query.get("limit") or RUNS)
    count = 0

    def counted(found: Iterable[RunFigures]) -> Iterator[RunFigures]:
        nonlocal count
        for run in found:
            if wanted in (None, run.dimension.workload_class.value):
                count += 1
                yield run

    with reader.snapshot() as snapshot:
        tally = Tally(snapshot.connection, snapshot.names, now)
        found = runs(snapshot, window, tally, query.get("namespace"))
        shown = dearest(counted(found), offset + limit)[offset:]
        called = names(snapshot, shown)
    return {
        "currency": terms.rules.currency,
        "from": format_time(window.since),
        "to": format_time(window.until),
        "count": count,
        "offset": offset,
        "runs": [run_to_contract(run, called[run.place]) for run in shown],
    }


def models_of(reader: Reader, query: Mapping[str, str], terms: Terms, now: Ms) -> dict[str, Any]:
    """What each model's workloads cost in a window, by class.

    Args:
        reader: of the ledger.
        query: `month`, `from`, `to`, `timezone`, `limit`.
        terms: of the installation.
        now: what is open counts up to this moment (ms).

    Returns:
        The dearest model first; `model` is null for what names none.

    Raises:
        BursarError: the query cannot be read.
    """
    window, by = window_of(query, now), ("model", "class")
    asked = Asked(stretches=(window,), now=now, keys=by)
    with reader.snapshot() as snapshot:
        found = report(Lines(snapshot, asked).pods(), (), by, window, terms.rules)
    models: dict[str, Figures] = {}
    classes: dict[str, dict[str, Any]] = {}
    for row in found.rows:
        model, workload_class = row.key
        whole = models.setdefault(model, Figures())
        whole.merge(row.figures)
        whole.pods += row.figures.pods
        classes.setdefault(model, {})[workload_class] = _model_figures(row.figures)
    ordered = sorted(models.items(), key=lambda item: (-item[1].cost, item[0]))
    return {
        "currency": terms.rules.currency,
        "from": format_time(window.since),
        "to": format_time(window.until),
        "count": len(ordered),
        "models": [
            {"model": name or None, **_model_figures(figures), "classes": classes[name]}
            for name, figures in ordered[: int(query.get("limit") or MAX_ROWS)]
        ],
    }


def _model_figures(figures: Figures) -> dict[str, Any]:
    return {
        "cost": format_nano(figures.cost, PLACES),
        "gpuHours": hours(figures.gpu),
        "unpricedGpuHours": hours(figures.unpriced),
        "pods": figures.pods,
    }


def report_of_ledger(url: str, cluster: str, query: Mapping[str, str], now: Ms) -> dict[str, Any]:
    """A report from a ledger that no operator answers for: it counts as far as it was written."""
    return of_ledger(report_of, url, cluster, query, now)


def of_ledger(
    read: Callable[[Reader, Mapping[str, str], Terms, Ms], dict[str, Any]],
    url: str,
    cluster: str,
    query: Mapping[str, str],
    now: Ms,
) -> dict[str, Any]:
    """Read something from a ledger that no operator answers for, as far as it was written.

    Raises:
        BursarError: the ledger, or the query, cannot be read.
    """
    reader = Reader.open(url, cluster)
    try:
        written = reader.checkpoint("pods")
        seen = min(now, written.observed) if written else now
        with reader.snapshot() as snapshot:
            currency = snapshot.currency() or "USD"
        return read(reader, query, Terms(rules=Rules(currency=currency)), seen)
    finally:
        reader.close()
