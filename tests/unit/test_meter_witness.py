"""The rule by which witnesses close what nobody saw end."""

from fractions import Fraction

import pytest

from bursar.domain.time import HOUR, MINUTE, SECOND
from bursar.domain.usage import Basis
from bursar.meter import witness
from bursar.meter.witness import ENDING, Hold, displaced, estimate, of_job, terminating

KNOWN, MISSED = 10 * HOUR, 12 * HOUR


def said(
    who: str, low: int | None = None, high: int | None = None, **more: bool
) -> witness.Testimony:
    return witness.Testimony(witness=who, low=low, high=high, **more)


@pytest.mark.parametrize(
    ("heard", "end"),
    [
        pytest.param((), ("heartbeat", KNOWN, 11 * HOUR, MISSED), id="nobody saw anything"),
        pytest.param(
            (said("event:Killing", KNOWN + HOUR, KNOWN + HOUR + MINUTE),),
            ("event:Killing", KNOWN + HOUR, KNOWN + HOUR + MINUTE // 2, KNOWN + HOUR + MINUTE),
            id="a witness of both bounds leaves the middle between them",
        ),
        pytest.param(
            (said("event:Started", KNOWN + HOUR),),
            ("event:Started", KNOWN + HOUR, KNOWN + 3 * HOUR // 2, MISSED),
            id="a sign of life raises the lower bound",
        ),
        pytest.param(
            (said("event:Pulled", KNOWN + MINUTE), said("job", None, KNOWN + HOUR)),
            ("job", KNOWN + MINUTE, KNOWN + HOUR // 2 + MINUTE // 2, KNOWN + HOUR),
            id="who sets the upper bound is named before who set the lower",
        ),
        pytest.param(
            (said("job", None, KNOWN + HOUR, sharp=True),),
            ("job", KNOWN, KNOWN + HOUR, KNOWN + HOUR),
            id="a sharp witness is taken at his word",
        ),
        pytest.param(
            (said("job", None, KNOWN + HOUR, sharp=True), said("node", None, KNOWN + MINUTE)),
            ("node", KNOWN, KNOWN + MINUTE // 2, KNOWN + MINUTE),
            id="but not where another bound is nearer",
        ),
        pytest.param(
            (said("event:Killing", KNOWN - HOUR, KNOWN - HOUR + MINUTE),),
            ("heartbeat", KNOWN, 11 * HOUR, MISSED),
            id="an end from before the pod was known alive is not believed",
        ),
        pytest.param(
            (said("event:Killing", MISSED + HOUR, None),),
            ("heartbeat", KNOWN, 11 * HOUR, MISSED),
            id="nor is one from after it was missed",
        ),
        pytest.param(
            (
                said("event:Killing", KNOWN + HOUR, KNOWN + HOUR + MINUTE),
                said("job", None, KNOWN + MINUTE),
            ),
            ("event:Killing", KNOWN + HOUR, KNOWN + HOUR + MINUTE // 2, KNOWN + HOUR + MINUTE),
            id="of two that contradict each other the more trusted counts",
        ),
        pytest.param(
            (said("event:Killing", KNOWN - SECOND, KNOWN + MINUTE),),
            ("event:Killing", KNOWN, KNOWN + MINUTE // 2, KNOWN + MINUTE),
            id="no bound goes below what is known",
        ),
    ],
)
def test_an_end_is_what_witnesses_leave_of_the_gap(
    heard: tuple[witness.Testimony, ...], end: tuple[str, int, int, int]
) -> None:
    found = estimate(KNOWN, MISSED, heard)
    assert (found.witness, found.low, found.at, found.high) == end
    assert found.basis is Basis.ESTIMATED


def test_a_clock_that_went_back_leaves_a_moment_and_no_error() -> None:
    found = estimate(MISSED, KNOWN)
    assert (found.low, found.at, found.high) == (KNOWN, KNOWN, KNOWN)


@pytest.mark.parametrize(
    ("grace", "bounds"),
    [
        pytest.param(30 * SECOND, (5, 5 + 30 * SECOND + ENDING), id="grace bounds it above"),
        pytest.param(0, (5, 5 + ENDING), id="without grace it goes at once"),
        pytest.param(None, (5, None), id="an unknown grace bounds nothing"),
    ],
)
def test_who_is_told_to_end_has_his_grace(
    grace: int | None, bounds: tuple[int, int | None]
) -> None:
    (found,) = terminating("event:Killing", 5, grace)
    assert (found.low, found.high) == bounds


def hold(uid: str, start: int, devices: int, until: int | None = None) -> Hold:
    return Hold(uid=uid, start=start, until=until, devices=Fraction(devices))


@pytest.mark.parametrize(
    ("holds", "binding"),
    [
        pytest.param([], None, id="nobody came"),
        pytest.param([hold("b", 20, 4)], None, id="there was room for both"),
        pytest.param([hold("b", 20, 5)], 20, id="one came who found no room beside it"),
        pytest.param([hold("b", 5, 4), hold("c", 20, 1)], 20, id="together with one from before"),
        pytest.param(
            [hold("b", 5, 4, until=20), hold("c", 20, 1)], None, id="who left just then counts not"
        ),
        pytest.param(
            [hold("b", 20, 2), hold("c", 30, 4), hold("d", 40, 2)], 30, id="the first such binding"
        ),
        pytest.param([hold("b", 9, 8)], None, id="bindings from before tell nothing"),
        pytest.param([hold("b", 20, 9)], None, id="who holds more than there is proves nothing"),
        pytest.param([hold("a", 20, 8)], None, id="nobody displaces himself"),
    ],
)
def test_who_got_the_devices_next_shows_that_they_were_free(
    holds: list[Hold], binding: int | None
) -> None:
    assert displaced("a", Fraction(4), 10, Fraction(8), holds) == binding


@pytest.mark.parametrize(
    ("status", "moments", "told"),
    [
        pytest.param({}, {}, [], id="a Job that goes on"),
        pytest.param({"succeeded": 1}, {"Complete": 9}, [(9, True)], id="one pod, which succeeded"),
        pytest.param(
            {"succeeded": 1, "failed": 2}, {"Complete": 9}, [(9, False)], id="after two that failed"
        ),
        pytest.param({"succeeded": 8}, {"Complete": 9}, [(9, False)], id="one of eight"),
        pytest.param({}, {"Failed": 9}, [(9 + 5 + ENDING, False)], id="failed: with its grace"),
        pytest.param({}, {"Suspended": 9}, [(9 + 5 + ENDING, False)], id="suspended likewise"),
    ],
)
def test_a_job_tells_of_its_pods(
    status: dict[str, object], moments: dict[str, int], told: list[tuple[int, bool]]
) -> None:
    heard = of_job(status, moments, 5)
    assert [(each.high, each.sharp) for each in heard] == told
    assert {each.witness for each in heard} <= {"job"}
