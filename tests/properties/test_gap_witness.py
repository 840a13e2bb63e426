"""Whatever witnesses say: true ones never exclude the truth, and no lie goes past what is known."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bursar.domain.time import HOUR, SECOND, Ms, format_time
from bursar.domain.usage import Basis, End
from bursar.meter import displaced, estimate, events, witness
from bursar.meter.witness import ENDING, Hold, of_job
from support.events import event
from support.purses import at

T0 = at("2026-11-24T08:00:00Z")
KNOWN = T0 + HOUR
"""When the pod was last known to hold its devices."""
MISSED = T0 + 4 * HOUR
SHORTEST, LONGEST = KNOWN // SECOND, MISSED // SECOND - 120


@dataclass(frozen=True)
class Going:
    """How a pod really ended.

    Attributes:
        told: when it was told to end (ms).
        end: when it had ended (ms).
        grace: its grace period (ms).
    """

    told: Ms
    end: Ms
    grace: Ms


@st.composite
def goings(draw: st.DrawFn) -> Going:
    told = draw(st.integers(SHORTEST, LONGEST)) * SECOND
    grace = draw(st.integers(0, 60)) * SECOND
    return Going(told, told + draw(st.integers(0, grace + ENDING)), grace)


def true_events(draw: st.DrawFn, going: Going) -> list[dict[str, Any]]:
    """Events as the cluster would write them about this pod, some lost, others about namesakes."""
    alive = draw(st.lists(st.integers(T0 // SECOND, going.told // SECOND), max_size=3))
    made = [event("Started", second * SECOND) for second in alive if second * SECOND < going.told]
    made += [event("BackOff", T0, last=second * SECOND, count=9) for second in alive[:1]]
    if draw(st.booleans()):
        made.append(event("Killing", going.told, "Stopping container main"))
    if draw(st.booleans()):
        made.append(
            event("SuccessfulDelete", going.told, "Deleted pod: p", kind="StatefulSet", name="s")
        )
    before = draw(st.booleans())
    if before:  # of a namesake that was there earlier
        made.append(event("SuccessfulDelete", T0, "Deleted pod: p", kind="StatefulSet", name="s"))
    return draw(st.permutations(made))


def heard(made: list[dict[str, Any]], grace: Ms | None) -> list[witness.Testimony]:
    said = [found for each in made if (found := events.read(each, MISSED)) is not None]
    own = [each for each in said if each.kind == "Pod" and each.uid == "uid-p"]
    deletions = [each for each in said if events.deleted(each) == "p"]
    return [*events.of_pod(own, grace), *events.of_controller(deletions, KNOWN, grace)]


def holds_together(end: End) -> None:
    assert end.basis is Basis.ESTIMATED
    assert end.low is not None
    assert end.high is not None
    assert KNOWN <= end.low <= end.at <= end.high <= MISSED
    # What is shown as doubtful is at least as much as the truth may lie above.
    assert end.high - end.at <= end.at - end.low + 1


@given(st.data(), goings(), st.booleans())
def test_true_witnesses_never_exclude_the_truth(
    data: st.DataObject, going: Going, knows_grace: bool
) -> None:
    made = data.draw(st.composite(lambda draw: true_events(draw, going))())
    said = heard(made, going.grace if knows_grace else None)
    status: dict[str, object] = {"succeeded": 1}
    moments = {"Complete": going.end + data.draw(st.integers(0, 5)) * SECOND}
    if data.draw(st.booleans()):
        said += of_job(status | {"failed": 1}, moments, going.grace)
    end = estimate(KNOWN, MISSED, said)
    holds_together(end)
    assert end.low is not None
    assert end.high is not None
    assert end.low <= max(going.end, KNOWN) <= end.high


moments = st.integers(T0 - HOUR, MISSED + HOUR)
reasons = st.sampled_from(
    ["Killing", "Preempted", "Evicted", "Started", "NodeNotReady", "SuccessfulDelete", "Anything"]
)


@st.composite
def forged(draw: st.DrawFn) -> dict[str, Any]:
    """An Event that somebody wrote; but the API server says when it was taken in."""
    claimed, taken = draw(moments), draw(moments)
    reason = draw(reasons)
    of = ("ReplicaSet", "Deleted pod: p") if reason == "SuccessfulDelete" else ("Pod", "Stopping")
    made = event(reason, claimed, of[1], kind=of[0], last=draw(moments), count=draw(st.integers()))
    made["metadata"]["creationTimestamp"] = format_time(taken)
    return made


@given(st.lists(forged(), max_size=8), st.none() | st.integers(0, HOUR))
def test_lies_move_an_end_between_its_bounds_and_no_further(
    made: list[dict[str, Any]], grace: Ms | None
) -> None:
    holds_together(estimate(KNOWN, MISSED, heard(made, grace)))


lives = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 60), st.integers(1, 8)), min_size=1, max_size=12
)


@given(lives, st.integers(0, 11))
def test_a_binding_never_displaces_who_was_still_there(
    asked: list[tuple[int, int, int]], which: int
) -> None:
    # Pods are let in as a scheduler does it: only where there is room for them.
    room: list[tuple[int, int, int]] = []
    for start, length, devices in sorted(asked):
        held = sum(d for s, e, d in room if s <= start < e)
        if held + devices <= 8:
            room.append((start, start + length, devices))
    mine = room[which % len(room)]
    others = [
        Hold(uid=str(index), start=start, until=end, devices=Fraction(devices))
        for index, (start, end, devices) in enumerate(room)
        if room[index] != mine
    ]
    binding = displaced("mine", Fraction(mine[2]), mine[0], Fraction(8), others)
    assert binding is None or binding >= mine[1]
