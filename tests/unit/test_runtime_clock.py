"""The operator's clock is the API server's, where that is known to differ."""

from collections.abc import Iterator

import pytest

from bursar.domain.time import HOUR, SECOND
from bursar.runtime import clock
from bursar.runtime.clock import Skew

NOW = 1_800_000_000_000


def measured(*answers: tuple[int, int, int]) -> int:
    skew = Skew()
    for date, asked, answered in answers:
        skew.measure(date, asked, answered)
    return skew.ahead


@pytest.mark.parametrize(
    ("answers", "ahead"),
    [
        pytest.param([], 0, id="nothing was asked"),
        pytest.param([(NOW, NOW + 300, NOW + 350)], 0, id="clocks agree"),
        pytest.param([(NOW - 2 * SECOND, NOW, NOW + 5)], 0, id="two seconds are left alone"),
        pytest.param(
            [(NOW + HOUR, NOW, NOW + 20)], HOUR + SECOND // 2 - 10, id="ours is an hour behind"
        ),
        pytest.param(
            [(NOW - HOUR, NOW, NOW + 20)], -HOUR + SECOND // 2 - 10, id="ours is an hour ahead"
        ),
        pytest.param([(NOW + HOUR, NOW, NOW + 9 * SECOND)], 0, id="a slow answer tells nothing"),
        pytest.param(
            [(NOW + HOUR, NOW, NOW), (NOW + HOUR + SECOND, NOW + 900, NOW + 900)],
            HOUR + SECOND // 2,
            id="what is right by a second is not moved again",
        ),
        pytest.param(
            [(NOW + HOUR, NOW, NOW), (NOW + 2 * HOUR, NOW + 2 * HOUR, NOW + 2 * HOUR)],
            0,
            id="a clock that was set right is trusted again",
        ),
    ],
)
def test_the_api_servers_time_counts(answers: list[tuple[int, int, int]], ahead: int) -> None:
    assert measured(*answers) == ahead


@pytest.fixture
def skewed() -> Iterator[None]:
    clock.skew.measure(clock.own() + HOUR, clock.own(), clock.own())
    yield
    clock.skew.ahead = 0


@pytest.mark.usefixtures("skewed")
def test_now_is_the_clusters() -> None:
    assert abs(clock.now() - clock.own() - HOUR) < SECOND
