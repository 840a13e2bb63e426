"""A pod's or a run's whole sum from the ledger: every factor of it, exactly.

Money is decimal strings as in reports; shares and prices are exact fractions besides
(`numerator/denominator`), so that anybody can do the sum again. The total is what a report of the
pod's whole life says.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from fractions import Fraction
from typing import Any

from bursar.domain import wording
from bursar.domain.money import NANO, format_fraction, format_nano
from bursar.domain.rate import Rate, Unpriced
from bursar.domain.time import SECOND, Ms, format_time
from bursar.domain.usage import Cost, Segment
from bursar.meter import cost, cost_between, is_priced, uncertain_between
from bursar.report import Window, stretches
from bursar.report.calendar import label
from bursar.report.contract import PLACES
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.reading.lives import Life, Named, life, named, of_run
from bursar.runtime.ledger.rows import StoredInterval

JSON = dict[str, Any]
MOST_PODS = 200
"""Pods of a run that are listed one by one."""
MOST_NAMESAKES = 20
"""Other pods of one name that are listed."""


def of_pod(
    reader: Reader, place: Mapping[str, str], now: Ms, zone: tzinfo, uid: str | None = None
) -> tuple[JSON, tuple[StoredInterval, ...]] | None:
    """What a pod's cost is made of.

    Args:
        reader: of the ledger.
        place: its `namespace` and `name`.
        now: up to when it counts, if it goes on (ms).
        zone: in which months begin.
        uid: which of several pods of that name; None: the newest.

    Returns:
        The sum as the read API gives it, and the rows it is made of; None where the ledger has
        no such pod.
    """
    with reader.snapshot() as snapshot:
        found = named(snapshot, place["namespace"], place["name"])
        chosen = next((each for each in found if uid in (None, each.uid)), None)
        if chosen is None:
            return None
        whole = life(snapshot, chosen)
    others = [each for each in found if each != chosen]
    answer = {
        "uid": chosen.uid,
        **_summed(whole.entries, now),
        "rows": [_row(entry, now) for entry in whole.entries],
        "months": _months(whole.entries, now, zone),
        "superseded": _superseded(whole, now),
        "namesakes": [_namesake(each) for each in others[:MOST_NAMESAKES]],
    }
    if len(others) > MOST_NAMESAKES:
        answer["omitted"] = {"namesakes": len(others) - MOST_NAMESAKES}
    return answer, whole.entries


def of_owner(
    reader: Reader, kind: str, place: Mapping[str, str], now: Ms, zone: tzinfo
) -> JSON | None:
    """What a run's cost is made of: the sums of its pods.

    Args:
        reader: of the ledger.
        kind: of the run's root owner.
        place: its `namespace` and `name`.
        now: up to when it counts, if it goes on (ms).
        zone: in which months begin.
    """
    entries: list[StoredInterval] = []
    pods: list[JSON] = []
    count = 0
    with reader.snapshot() as snapshot:
        for of_one in of_run(snapshot, kind, place["namespace"], place["name"]):
            entries += of_one
            count += 1
            if count <= MOST_PODS:
                about = {"name": of_one[0].name, "uid": of_one[0].pod_uid}
                pods.append({**about, **_summed(of_one, now)})
    if not entries:
        return None
    first = entries[0]
    answer = {
        "uid": first.run.uid if first.run else first.pod_uid,
        **_summed(entries, now),
        "count": count,
        "pods": pods,
        "months": _months(entries, now, zone),
    }
    if count > MOST_PODS:
        answer["omitted"] = {"pods": count - MOST_PODS}
    return answer


def _summed(entries: Iterable[StoredInterval], now: Ms) -> JSON:
    """From when to when, and what it comes to."""
    told = list(entries)
    total = sum((cost(entry.segment, _until(entry.segment, now)) for entry in told), Cost())
    going = any(entry.segment.end is None for entry in told)
    unsure = sum(
        uncertain_between(entry.segment, entry.segment.start, _until(entry.segment, now)).total
        for entry in told
    )
    return {
        "from": format_time(min(entry.segment.start for entry in told)),
        "to": format_time(max(_until(entry.segment, now) for entry in told)),
        "goesOn": going,
        **_money(total),
        "estimatedCost": format_nano(unsure, PLACES),
        "priced": all(is_priced(entry.segment) for entry in told),
    }


def _money(amount: Cost) -> JSON:
    return {
        "cost": format_nano(amount.total, PLACES),
        "capex": format_nano(amount.capex, PLACES),
        "opex": format_nano(amount.opex, PLACES),
    }


def _row(entry: StoredInterval, now: Ms) -> JSON:
    """One row of the ledger: who held what, at which price, from when to when, and its cost."""
    part = entry.segment
    until = _until(part, now)
    return {
        "resource": part.resource,
        "node": entry.node_name,
        "devices": _exact(part.devices),
        "nodeDevices": _exact(part.devices / part.share if part.devices and part.share else None),
        "share": _exact(part.share),
        "price": _price(part.rate),
        "start": format_time(part.start),
        "milliseconds": until - part.start,
        "end": _end(part),
        **_money(cost(part, until)),
        "sum": _words(part, until),
        "generation": entry.generation,
    }


def _price(rate: Rate | Unpriced) -> JSON:
    if isinstance(rate, Unpriced):
        return {"unpriced": rate.reason}
    return {
        "perHour": _exact(rate.total / NANO),
        "capexPerHour": _exact(rate.capex / NANO),
        "opexPerHour": _exact(rate.opex / NANO),
        "devicesPart": _exact(rate.devices_part),
        "utilization": _exact(rate.utilization),
        "commitment": rate.commitment or None,
        "currency": rate.currency,
        "origin": rate.origin,
        "assumed": rate.assumed,
    }


def _end(part: Segment) -> JSON | None:
    end = part.end
    if end is None:
        return None
    return {
        "at": format_time(end.at),
        "basis": end.basis.name.lower(),
        "witness": end.witness,
        "earliest": None if end.low is None else format_time(end.low),
        "latest": None if end.high is None else format_time(end.high),
    }


def _words(part: Segment, until: Ms) -> str:
    """The product as one writes it, with the factors that are not 1."""
    rate, share = part.rate, part.share
    seconds = format_fraction(Fraction(until - part.start, SECOND), 3)
    if isinstance(rate, Unpriced):
        return f"{seconds} s, unpriced: {rate.reason}"
    if share is None:
        return f"{seconds} s, not priced: how much of the node it held is not known"
    factors = wording.factors(rate, share)
    paid = cost(part, until)
    return f"{factors} x {seconds} s / 3600 = {format_nano(paid.total, PLACES)}"


def _superseded(whole: Life, now: Ms) -> list[JSON]:
    """Rows that a re-rating replaced: what was booked before, and what took its place."""
    return [{**_row(entry, now), "supersededBy": by} for entry, by in whole.superseded]


def _months(entries: Iterable[StoredInterval], now: Ms, zone: tzinfo) -> list[JSON]:
    """The parts of the sum that lie in each month."""
    told = list(entries)
    since = min(entry.segment.start for entry in told)
    until = max(since + 1, *(_until(entry.segment, now) for entry in told))
    found = []
    for month in stretches(Window(since=since, until=until), ("month",), zone):
        amount = sum(
            (
                cost_between(entry.segment, month.since, min(month.until, now))
                if entry.segment.end is None
                else cost_between(entry.segment, month.since, month.until)
                for entry in told
            ),
            Cost(),
        )
        found.append({"month": label(month.since, "month", zone), **_money(amount)})
    return found


def _namesake(pod: Named) -> JSON:
    return {"uid": pod.uid, "from": format_time(pod.begun)}


def _until(part: Segment, now: Ms) -> Ms:
    return part.end.at if part.end is not None else max(part.start, now)


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
