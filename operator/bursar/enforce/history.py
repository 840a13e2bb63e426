"""What has happened to a budget's money, kept in its status for audit.

From the budget's grants and its sleep, and the history that stands there now. It is memory too: a
grant is for the one period in which it was first seen, and what it had paid when it expired stays
paid. Entries are only added; when they are too many, the oldest that concern no grant of today go
first.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bursar.domain.budget import Budget, Grant, Standing
from bursar.domain.money import NANO, format_fraction
from bursar.domain.time import MINUTE, Ms, format_time, parse_time

MOST = 64
"""Entries kept; the API's own bound."""

Entry = dict[str, Any]


def history(budget: Budget, standing: Standing, previous: Mapping[str, Any] | None) -> list[Entry]:
    """Bring the history up to date.

    Args:
        budget: its grants and `suspend_until`.
        standing: where it stands now.
        previous: `.status` of the object now; None where there is none.

    Returns:
        Entries, oldest first.
    """
    entries = said(previous)
    entries.extend(
        _entry("Granted", grant, standing.now, grant.amount)
        for grant in budget.grants
        # The budget may have been read before its own status came back from the API server.
        if grant.since is None and not any(_same(each, "Granted", grant) for each in entries)
    )
    entries.extend(_expired(budget, standing, entries))
    asleep = budget.suspend_until
    if asleep is not None and standing.now < asleep and not _told(entries, "Suspended", asleep):
        entries.append(
            {
                "time": format_time(standing.now),
                "type": "Suspended",
                "until": format_time(asleep),
            }
        )
    return _shorten(entries, budget.grants)


def said(previous: Mapping[str, Any] | None) -> list[Entry]:
    """The entries of a status as it stands; none where it has none that can be read."""
    entries = (previous or {}).get("history")
    found = entries if isinstance(entries, (list, tuple)) else ()
    return [dict(each) for each in found if isinstance(each, Mapping)]


def _expired(budget: Budget, standing: Standing, entries: list[Entry]) -> list[Entry]:
    """Entries for grants that have just expired, with what they had paid.

    Where that lies too far back to be told from what is spent now, the sum is left out.
    """
    found: list[Entry] = []
    kept = budget.limits.cost
    for grant in sorted(budget.grants, key=lambda each: each.until or 0):
        until = grant.until
        if until is None or until > standing.now or grant.since is None:
            continue
        current = grant.since >= standing.span.start
        if any(_same(each, "GrantExpired", grant) for each in entries):
            if kept is not None and current:
                kept += grant.paid or 0
            continue
        paid = None
        if kept is not None and current and standing.now - until <= MINUTE:
            paid = min(max(standing.spent.cost - kept, Fraction(0)), grant.amount)
            kept += paid
        found.append(_entry("GrantExpired", grant, standing.now, paid))
    return found


def _entry(kind: str, grant: Grant, now: Ms, amount: Fraction | None) -> Entry:
    entry: Entry = {"time": format_time(now), "type": kind}
    if amount is not None:
        entry["amount"] = format_fraction(amount / NANO)
    if grant.until is not None:
        entry["until"] = format_time(grant.until)
    if grant.reason:
        entry["reason"] = grant.reason
    if grant.granted_by:
        entry["grantedBy"] = grant.granted_by
    return entry


def _same(entry: Entry, kind: str, grant: Grant) -> bool:
    until = None if grant.until is None else format_time(grant.until)
    return (
        entry.get("type") == kind
        and entry.get("until") == until
        and (entry.get("reason") or "") == grant.reason
        and (entry.get("grantedBy") or "") == grant.granted_by
    )


def _told(entries: list[Entry], kind: str, until: Ms) -> bool:
    return any(
        each.get("type") == kind and parse_time(each.get("until")) == parse_time(format_time(until))
        for each in entries
    )


def _shorten(entries: list[Entry], grants: tuple[Grant, ...]) -> list[Entry]:
    surplus = len(entries) - MOST
    if surplus <= 0:
        return entries
    kinds = ("Granted", "GrantExpired")
    kept = [any(_same(each, kind, g) for kind in kinds for g in grants) for each in entries]
    oldest = sorted(range(len(entries)), key=lambda index: (kept[index], index))
    dropped = set(oldest[:surplus])
    return [each for index, each in enumerate(entries) if index not in dropped]
