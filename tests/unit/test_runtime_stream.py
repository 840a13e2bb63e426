"""What a stream still has to bring after a restart, and what it does where it breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway
from bursar.runtime.cluster.stream import DELIVERY, Sink, Stream, _Backlog


def item(uid: str, version: int) -> dict[str, object]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}}


def uids(items) -> list[str]:
    return [each["metadata"]["uid"] for each in items]


def test_nothing_is_missing_where_nothing_changed() -> None:
    backlog = _Backlog([item("a", 5), item("b", 9)], "12", "9", {"a", "b"})
    assert backlog.empty
    assert uids(backlog.unchanged) == ["a", "b"]


def test_what_did_not_change_since_the_checkpoint_is_told_from_what_did() -> None:
    backlog = _Backlog([item("a", 5), item("b", 10)], "12", "9", {"a", "b"})
    assert not backlog.empty
    assert uids(backlog.unchanged) == ["a"]


def test_a_change_has_come_with_its_version_and_not_with_an_older_one() -> None:
    backlog = _Backlog([item("a", 11)], "12", "9", {"a"})
    assert not backlog.done("MODIFIED", item("a", 10), "10")
    assert backlog.done("MODIFIED", item("a", 11), "11")


def test_a_deletion_is_waited_for_and_only_its_own_event_ends_the_wait() -> None:
    backlog = _Backlog([], "12", "9", {"gone"})
    assert not backlog.done("MODIFIED", item("gone", 10), "10")
    assert not backlog.done("DELETED", item("other", 10), "10")
    assert backlog.done("DELETED", item("gone", 11), "11")


def test_an_object_changed_and_then_deleted_is_not_waited_for_any_more() -> None:
    backlog = _Backlog([item("a", 11), item("b", 12)], "13", "9", {"a"})
    assert not backlog.done("DELETED", item("a", 12), "12")
    assert backlog.done("MODIFIED", item("b", 12), "12")


@pytest.mark.parametrize("kind", ["BOOKMARK", "ADDED"])
def test_any_event_at_or_past_the_lists_version_ends_the_wait(kind: str) -> None:
    backlog = _Backlog([item("a", 11)], "12", "9", {"a", "gone"})
    assert backlog.done(kind, {"metadata": {"resourceVersion": "12"}}, "12")


def test_versions_are_compared_as_numbers() -> None:
    backlog = _Backlog([item("a", 10)], "100", "9", set())
    assert not backlog.empty
    assert not backlog.done("ADDED", item("b", 99), "99")


class Scripted(Stream):
    """A stream whose two ways of reading fail as told: only what `run` makes of it is real."""

    def __init__(self, follow: list[Exception | None], start_over: list[Exception | None]) -> None:
        async def nothing(*_: object) -> None:
            pass

        sink = Sink(
            apply=nothing,
            resume=nothing,
            relist=nothing,
            advance=lambda *_: None,
            known=lambda: (),
        )
        super().__init__(cast("Gateway", None), "/api/v1/pods", "", sink)
        self._ways = {"follow": iter(follow), "start over": iter(start_over)}
        self.said: list[str] = []

    async def _follow(self, resume: str | None) -> None:
        self._tell("follow", f"from {resume}")

    async def _start_over(self, *, gap: bool) -> None:
        self._tell("start over", f"gap {gap}")
        self.position = "50"

    def _tell(self, way: str, how: str) -> None:
        self.said.append(f"{way} {how}")
        try:
            error = next(self._ways[way])
        except StopIteration:
            raise asyncio.CancelledError from None
        if error is not None:
            raise error


def refused(status: int) -> ApiError:
    return ApiError(status, "GET", "/api/v1/pods", "no")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bursar.runtime.cluster.stream.BACKOFF_SECONDS", (0.0,))


async def said(stream: Scripted, checkpoint: str | None = "9") -> list[str]:
    with pytest.raises(asyncio.CancelledError):
        await stream.run(checkpoint)
    return stream.said


async def test_a_version_too_old_is_answered_by_a_list_and_the_watch_goes_on_from_there() -> None:
    assert await said(Scripted([refused(410)], [None])) == [
        "follow from 9",
        "start over gap True",
        "follow from 50",
    ]


@pytest.mark.parametrize("error", [refused(0), refused(429), refused(410), TimeoutError()], ids=str)
async def test_a_list_that_fails_after_a_gap_is_tried_again(error: Exception) -> None:
    assert await said(Scripted([refused(410)], [error, None])) == [
        "follow from 9",
        "start over gap True",
        "start over gap True",
        "follow from 50",
    ]


@pytest.mark.parametrize("error", [refused(0), refused(500), OSError("cut")], ids=str)
async def test_a_watch_that_breaks_goes_on_where_it_was(error: Exception) -> None:
    assert await said(Scripted([error], [])) == ["follow from 9", "follow from 9"]


async def test_a_first_list_that_expires_half_way_is_begun_again_and_no_gap() -> None:
    assert await said(Scripted([refused(410)], []), None) == ["follow from None"] * 2


class Past:
    """An API server that knows what happened up to version 12, and what came after."""

    def __init__(self, versions: list[int]) -> None:
        self._versions = versions

    async def collection(self, *_: object, **__: object) -> tuple[list[JSON], str]:
        return [item("a", 12)], "12"

    async def get(self, *_: object, **__: object) -> JSON:
        return {"metadata": {"resourceVersion": "12"}}

    async def watch(self, *_: object, **__: object) -> AsyncIterator[tuple[str, JSON]]:
        for version in self._versions:
            yield "MODIFIED", item("a", version)


@pytest.mark.parametrize(
    ("versions", "watched"),
    [
        pytest.param([10], [1_000], id="in mid-replay nobody has watched yet"),
        pytest.param([10, 12], [1_000, 90_000], id="the last that was missed brings it up to now"),
        pytest.param([10, 13], [1_000, 90_000], id="so does the first that was not"),
    ],
)
async def test_a_replay_moves_the_time_watched_only_when_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch, versions: list[int], watched: list[int]
) -> None:
    monkeypatch.setattr("bursar.runtime.cluster.stream.clock.now", lambda: 90_000)
    told: list[int] = []

    async def nothing(*_: object) -> None:
        pass

    sink = Sink(
        apply=nothing,
        resume=nothing,
        relist=nothing,
        advance=lambda _, moment: told.append(moment),
        known=lambda: ("a",),
    )
    stream = Stream(cast("Gateway", Past(versions)), "/api/v1/pods", "", sink)
    stream.watched = 1_000
    await stream._follow("9")
    assert told == watched


class Line:
    """A watch that brings events at these moments, by a clock that only it moves on.

    Attributes:
        now: what the clock says (ms).
        works: how long an event takes to be applied.
    """

    def __init__(self, *arrivals: int, works: int = 0) -> None:
        self.now = 100_000
        self.works = works
        self._arrivals = arrivals

    async def watch(self, *_: object, **__: object) -> AsyncIterator[tuple[str, JSON]]:
        for version, arrival in enumerate(self._arrivals, 1):
            self.now = max(self.now, arrival)  # what has come meanwhile lies waiting
            yield "ADDED", item(f"p{version}", version)

    async def get(self, *_: object, **__: object) -> JSON:
        return {"metadata": {"resourceVersion": "0"}}

    async def apply(self, *_: object) -> None:
        self.now += self.works


async def watched_until(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is noted, event by event, as the moment until which the watch was there."""
    monkeypatch.setattr("bursar.runtime.cluster.stream.clock.now", lambda: line.now)
    noted: list[int] = []

    async def nothing(*_: object) -> None:
        pass

    sink = Sink(
        apply=line.apply,
        resume=nothing,
        relist=nothing,
        advance=lambda _, watched: noted.append(watched),
        known=lambda: (),
    )
    stream = Stream(cast("Gateway", line), "/api/v1/pods", "", sink)
    stream.synced.set()
    await stream._follow("9")
    return noted


async def test_an_event_that_was_waited_for_shows_that_the_watch_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(101_000, 105_000, works=3)
    assert await watched_until(line, monkeypatch) == [101_000 - DELIVERY, 105_000 - DELIVERY]


async def test_events_that_lay_waiting_do_not_show_that_what_came_after_them_has_been_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(101_000, 101_001, 101_002, 107_500, works=2_000)
    noted = await watched_until(line, monkeypatch)
    assert noted == [101_000 - DELIVERY] * 3 + [107_500 - DELIVERY]


class Restored:
    """An API server whose store was put back to version 7."""

    def __init__(self) -> None:
        self.lists = 0

    async def get(self, *_: object, **__: object) -> JSON:
        return {"metadata": {"resourceVersion": "7"}}

    async def collection(self, *_: object, **__: object) -> tuple[list[JSON], str]:
        self.lists += 1
        return [item("a", 3)], "7"

    async def watch(self, *_: object, **__: object) -> AsyncIterator[tuple[str, JSON]]:
        raise asyncio.CancelledError
        yield "", {}


@pytest.mark.parametrize("synced", [False, True], ids=["at the start", "in mid-run"])
async def test_a_version_that_the_restored_store_never_had_is_a_gap(
    monkeypatch: pytest.MonkeyPatch, synced: bool
) -> None:
    monkeypatch.setattr("bursar.runtime.cluster.stream.clock.now", lambda: 90_000)
    gaps: list[bool] = []

    async def nothing(*_: object) -> None:
        pass

    async def relist(_: list[JSON], gap: bool) -> None:
        gaps.append(gap)

    sink = Sink(
        apply=nothing, resume=nothing, relist=relist, advance=lambda *_: None, known=lambda: ()
    )
    stream = Stream(cast("Gateway", Restored()), "/api/v1/pods", "", sink)
    if synced:
        stream.synced.set()
    with pytest.raises(asyncio.CancelledError):
        await stream.run("9", 89_000)
    assert gaps == [True]
    assert stream.position == "7"


class SlowToOpen(Line):
    """A watch that an API server puts off until it has read its store.

    Attributes:
        missed: what is told of each event as the time since which nobody watched.
    """

    def __init__(self, *arrivals: int, opens: int) -> None:
        super().__init__(*arrivals)
        self._opens = opens
        self.missed: list[object] = []

    async def watch(
        self, *arguments: object, opened: Callable[[], None], **more: object
    ) -> AsyncIterator[tuple[str, JSON]]:
        self.now += self._opens
        opened()
        async for event in super().watch(*arguments, **more):
            yield event

    async def get(self, *_: object, **__: object) -> JSON:
        newest = sum(arrival <= self.now for arrival in self._arrivals)
        return {"metadata": {"resourceVersion": str(newest)}}

    async def apply(self, *told: object) -> None:
        self.missed.append(told[2])


@pytest.mark.parametrize(
    ("opens", "missed"),
    [
        pytest.param(8_000, [99_900, 99_900, None], id="what came meanwhile was not watched"),
        pytest.param(10, [None, None, None], id="and what comes after it opened at once was"),
    ],
)
async def test_a_watch_that_opens_late_was_not_there_before(
    monkeypatch: pytest.MonkeyPatch, opens: int, missed: list[int | None]
) -> None:
    line = SlowToOpen(102_000, 104_000, 111_000, opens=opens)
    monkeypatch.setattr("bursar.runtime.cluster.stream.clock.now", lambda: line.now)

    async def nothing(*_: object) -> None:
        pass

    sink = Sink(
        apply=line.apply,
        resume=nothing,
        relist=nothing,
        advance=lambda *_: None,
        known=lambda: (),
    )
    stream = Stream(cast("Gateway", line), "/api/v1/pods", "", sink)
    stream.watched = 99_900
    stream.synced.set()
    await stream._follow("0")
    assert line.missed == missed
