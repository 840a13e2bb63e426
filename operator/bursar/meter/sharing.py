"""What each of several pods holds of something that they hold together, over time.

Decides from when each of them held it, and what it asked for: while all of it adds up to more than
there is, each gets the same fraction of what it asked for, so that the sum never exceeds that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.time import Ms
from bursar.domain.usage import Holding, Part

Steps = tuple[tuple[Ms, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """A pod that holds, or held, a part of something shared.

    Attributes:
        devices: physical devices that it asks for of it.
        start: since when.
        end: until when; None while it holds it.
    """

    devices: Fraction
    start: Ms
    end: Ms | None


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
    apart = [_part_steps(holding, part, sharers[part.key]) for part in holding.parts]
    moments = sorted({at for each in apart for at, _ in each})
    counts = (
        (
            at,
            alone
            + sum(
                (
                    devices_at(part.devices, each, at)
                    for part, each in zip(holding.parts, apart, strict=True)
                ),
                Fraction(0),
            ),
        )
        for at in moments
    )
    return _changes(holding.devices, counts)


def _part_steps(holding: Holding, part: Part, others: Sequence[Sharer]) -> Steps:
    """From when on a holding has how much of one of its parts; before the first, all of it."""
    return _changes(
        part.devices,
        (
            (at, _held(part, (each for each in others if _holds(each, at))))
            for at in _moments(holding, others)
        ),
    )


def _held(part: Part, others: Iterable[Sharer]) -> Fraction:
    """What one gets of something shared, given who else holds it."""
    asked = part.devices + sum((other.devices for other in others), Fraction(0))
    return part.devices * min(Fraction(1), part.of / asked) if asked else Fraction(0)


def _changes(before: Fraction, counts: Iterable[tuple[Ms, Fraction]]) -> Steps:
    """Only the moments at which a count differs from what it was before."""
    found: list[tuple[Ms, Fraction]] = []
    for at, count in counts:
        if count != before:
            found.append((at, count))
            before = count
    return tuple(found)


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
    devices = holding.devices

    def at_most(at: Ms) -> Fraction:
        now = devices_at(devices, changes, at)
        return min(now, devices_at(now, past, at)) if at < until else now

    moments = {holding.start, until, *(at for at, _ in changes), *(at for at, _ in past)}
    return _changes(devices, ((at, at_most(at)) for at in sorted(moments) if at >= holding.start))


def _holds(sharer: Sharer, at: Ms) -> bool:
    return sharer.start <= at and (sharer.end is None or at < sharer.end)


def _moments(holding: Holding, sharers: Iterable[Sharer]) -> list[Ms]:
    """When what it holds may change, within its life."""
    end = holding.end.at if holding.end is not None else None
    moments = {holding.start}
    for each in sharers:
        moments.add(each.start)
        if each.end is not None:
            moments.add(each.end)
    return sorted(at for at in moments if holding.start <= at and (end is None or at < end))
