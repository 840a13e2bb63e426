"""Reports from the ledger, as the read API and the command line give them."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bursar.domain.rate import Rate
from bursar.domain.time import Ms
from bursar.report import parse_keys, parse_window, report, to_contract
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.lines import Lines

DEFAULT_BY = "namespace,class"


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
        query: `by`, `month`, `from`, `to`, as people write them.
        currency: of all money in the ledger.
        now: what is open counts up to this moment (ms).
        weights: normalized devices for one device, by accelerator.

    Raises:
        BursarError: the query cannot be read.
    """
    by = parse_keys(query.get("by") or DEFAULT_BY)
    window = parse_window(
        month=query.get("month"), since=query.get("from"), until=query.get("to"), now=now
    )
    lines = Lines(reader, window, now)
    return to_contract(report(lines.pods(), lines.idle(), by, window, currency, weights or {}))


def report_of_ledger(url: str, cluster: str, query: Mapping[str, str], now: Ms) -> dict[str, Any]:
    """A report from a ledger that no operator answers for: it counts as far as it was written."""
    reader = Reader.open(url, cluster)
    try:
        written = reader.checkpoint("pods")
        seen = min(now, written.observed) if written else now
        return report_of(reader, query, _currency(reader), seen)
    finally:
        reader.close()


def _currency(reader: Reader) -> str:
    """The currency that the ledger's prices are in."""
    for rows in reader.rates().values():
        for period in rows.periods:
            if isinstance(period.rate, Rate):
                return period.rate.currency
    return "USD"
