"""What each of several pods holds of something that they hold together, over time.

Decides from when each of them held it, and what it asked for: while all of it adds up to more than
there is, each gets the same fraction of what it asked for. What is booked of pods that ended stays,
and the others share what that leaves; so that the sum never exceeds what there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.usage import Holding

Steps = tuple[tuple[Ms, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """A pod that holds, or held, a part of something shared.

    Attributes:
        devices: physical devices that it asks for of it.
        start: since when.
        end: until when; None while it holds it.
        booked: of one that ended: what it held of it, from when on.
    """

    devices: Fraction
    start: Ms
    end: Ms | None
    booked: Steps = ()


def steps(holding: Holding, sharers: Mapping[str, Sequence[Sharer]]) -> Steps:
    """From when on a holding has how many devices, given who else holds its parts.

    Args:
        holding: with parts.
        sharers: of each part's key, all others.

    Returns:
        As `Holding.steps`: empty where it holds all that it asks for, all the time.
    """
    if not isinstance(holding.devices, Fraction) or not holding.parts:
        return ()
    alone = holding.devices - sum((part.devices for part in holding.parts), Fraction(0))
    found: list[tuple[Ms, Fraction]] = []
    before = holding.devices
    for at in _moments(holding, [one for part in holding.parts for one in sharers[part.key]]):
        now = alone + sum(
            (
                held(part.devices, part.of, [s for s in sharers[part.key] if _holds(s, at)], at)
                for part in holding.parts
            ),
            Fraction(0),
        )
        if now != before:
            found.append((at, now))
            before = now
    return tuple(found)


def held(wanted: Fraction, of: Fraction, others: Iterable[Sharer], at: Ms) -> Fraction:
    """What one gets of something shared at a moment.

    Args:
        wanted: devices that it asks for.
        of: devices that there are.
        others: who else holds it then.
        at: the moment (ms).
    """
    left, asked = of, wanted
    for other in others:
        if other.booked:
            left -= devices_at(other.devices, other.booked, at)
        else:
            asked += other.devices
    return wanted * max(Fraction(0), min(Fraction(1), left / asked)) if asked else Fraction(0)


def devices_at(devices: Fraction, changes: Iterable[tuple[Ms, Fraction]], at: Ms) -> Fraction:
    """The devices of a holding with such steps at a moment."""
    for since, count in changes:
        devices = count if since <= at else devices
    return devices


def capped(changes: Steps, holding: Holding, past: Steps, until: Ms) -> Steps:
    """Steps of a holding whose past is written: until then it has no more than was booked.

    Whoever else held it then may have ended and be forgotten.

    Args:
        changes: as `steps` gives them.
        holding: the holding.
        past: what was booked, from when on.
        until: up to when that is so (ms); later only `changes` count.
    """
    if not isinstance(holding.devices, Fraction) or not past:
        return changes
    moments = {holding.start, until, *(at for at, _ in changes), *(at for at, _ in past)}
    found: list[tuple[Ms, Fraction]] = []
    before = holding.devices
    for at in sorted(at for at in moments if at >= holding.start):
        now = devices_at(holding.devices, changes, at)
        if at < until:
            now = min(now, devices_at(now, past, at))
        if now != before:
            found.append((at, now))
            before = now
    return tuple(found)


def _holds(sharer: Sharer, at: Ms) -> bool:
    return sharer.start <= at and (sharer.end is None or at < sharer.end)


def _moments(holding: Holding, sharers: Iterable[Sharer]) -> list[Ms]:
    """When what it holds may change, within its life."""
    end = holding.end.at if holding.end is not None else None
    moments = {holding.start}
    for each in sharers:
        moments |= {each.start, *(at for at, _ in each.booked)}
        if each.end is not None:
            moments.add(each.end)
    return sorted(at for at in moments if holding.start <= at and (end is None or at < end))
