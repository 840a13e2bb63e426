"""Reports from the ledger, as the read API and the command line give them.

Answers are bounded: what is left out of one is said in it, and never silently.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from bursar.domain.money import format_nano
from bursar.domain.rate import Rate
from bursar.domain.time import Ms, format_time
from bursar.report import (
    Window,
    parse_keys,
    parse_window,
    report,
    run_to_contract,
    runs,
    to_contract,
)
from bursar.report.contract import PLACES, hours
from bursar.report.figures import Figures
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.lines import Lines

DEFAULT_BY = "namespace,class"
MAX_ROWS = 100_000
"""Rows of one report; a report by pod of a busy month has more, and none should fill the memory."""
RUNS = 100
"""Runs of one page, where nothing else is asked for."""


def window_of(query: Mapping[str, str], now: Ms) -> Window:
    """From when to when a query asks (`month`, or `from` and `to`).

    Raises:
        BursarError: it cannot be read.
    """
    return parse_window(
        month=query.get("month"), since=query.get("from"), until=query.get("to"), now=now
    )


def report_of(
    reader: Reader,
    query: Mapping[str, str],
    currency: str,
    now: Ms,
    weights: Mapping[str, Fraction] | None = None,
) -> dict[str, Any]:
    """A report as its JSON contract says.

    Args:
        reader: of the ledger.
        query: `by`, `month`, `from`, `to`, `namespace`, `limit`, as people write them.
        currency: of all money in the ledger.
        now: what is open counts up to this moment (ms).
        weights: normalized devices for one device, by accelerator.

    Returns:
        The contract; `omitted` says how many rows were left out, where any were. Of one namespace
        `idle` is null, since nodes are nobody's.

    Raises:
        BursarError: the query cannot be read.
    """
    by = parse_keys(query.get("by") or DEFAULT_BY)
    window, namespace = window_of(query, now), query.get("namespace")
    lines = Lines(reader, window, now, namespace)
    found = report(lines.pods(), lines.idle(), by, window, currency, weights or {})
    limit = int(query.get("limit") or MAX_ROWS)
    answer = to_contract(replace(found, rows=found.rows[:limit]))
    if namespace is not None:
        answer["idle"] = None
    if len(found.rows) > limit:
        answer["omitted"] = {"rows": len(found.rows) - limit}
    return answer


def runs_of(reader: Reader, query: Mapping[str, str], currency: str, now: Ms) -> dict[str, Any]:
    """The runs with some of their life in a window, the dearest first.

    Args:
        reader: of the ledger.
        query: `month`, `from`, `to`, `namespace`, `class`, `limit`, `offset`.
        currency: of all money in the ledger.
        now: what is open counts up to this moment (ms).

    Raises:
        BursarError: the query cannot be read.
    """
    window, wanted = window_of(query, now), query.get("class")
    found = [
        run
        for run in runs(Lines(reader, window, now, query.get("namespace")).runs())
        if wanted in (None, run.newest.line.dimension.workload_class.value)
    ]
    offset, limit = int(query.get("offset") or 0), int(query.get("limit") or RUNS)
    return {
        "currency": currency,
        "from": format_time(window.since),
        "to": format_time(window.until),
        "count": len(found),
        "offset": offset,
        "runs": [run_to_contract(run) for run in found[offset : offset + limit]],
    }


def models_of(reader: Reader, query: Mapping[str, str], currency: str, now: Ms) -> dict[str, Any]:
    """What each model's workloads cost in a window, by class.

    Args:
        reader: of the ledger.
        query: `month`, `from`, `to`.
        currency: of all money in the ledger.
        now: what is open counts up to this moment (ms).

    Returns:
        The dearest model first; `model` is null for what names none.

    Raises:
        BursarError: the query cannot be read.
    """
    window = window_of(query, now)
    found = report(Lines(reader, window, now).pods(), (), ("model", "class"), window, currency, {})
    models: dict[str, Figures] = {}
    classes: dict[str, dict[str, Any]] = {}
    for row in found.rows:
        model, workload_class = row.key
        models.setdefault(model, Figures()).merge(row.figures)
        classes.setdefault(model, {})[workload_class] = _model_figures(row.figures)
    ordered = sorted(models.items(), key=lambda item: (-item[1].cost, item[0]))
    return {
        "currency": currency,
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
        "gpuHours": hours(figures.gpu_ms),
        "unpricedGpuHours": hours(figures.unpriced_ms),
        "pods": len(figures.pods),
    }


def report_of_ledger(url: str, cluster: str, query: Mapping[str, str], now: Ms) -> dict[str, Any]:
    """A report from a ledger that no operator answers for: it counts as far as it was written."""
    return of_ledger(report_of, url, cluster, query, now)


def of_ledger(
    read: Callable[[Reader, Mapping[str, str], str, Ms], dict[str, Any]],
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
        return read(reader, query, _currency(reader), seen)
    finally:
        reader.close()


def _currency(reader: Reader) -> str:
    """The currency that the ledger's prices are in."""
    for rows in reader.rates().values():
        for period in rows.periods:
            if isinstance(period.rate, Rate):
                return period.rate.currency
    return "USD"
