"""What OpenCost says by a Prometheus, and what holds while nobody says anything."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bursar.domain.time import Ms
from bursar.runtime.configuring.prometheus import (
    Measured,
    OpenCost,
    PrometheusError,
    instant,
    node_prices,
)

QUERY = 'node_total_hourly_cost{cluster="a"}'


def vector(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1_790_000_000.5, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@asynccontextmanager
async def prometheus(answer: Callable[[str], web.Response]) -> AsyncIterator[str]:
    """A server on a free port that answers instant queries; its URL."""

    async def query(request: web.Request) -> web.Response:
        return answer(str((await request.post())["query"]))

    app = web.Application()
    app.router.add_post("/api/v1/query", query)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def told(document: Any) -> Callable[[str], web.Response]:
    return lambda _: web.Response(text=json.dumps(document), content_type="application/json")


async def test_each_series_of_a_query_is_read() -> None:
    asked: list[str] = []

    def answer(query: str) -> web.Response:
        asked.append(query)
        return told(vector(({"node": "a"}, "55.04"), ({"node": "b"}, "1")))(query)

    async with prometheus(answer) as url:
        found = await instant(url, QUERY)
    assert asked == [QUERY]
    assert found == [({"node": "a"}, "55.04"), ({"node": "b"}, "1")]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param({"status": "error", "error": "bad query"}, "bad query", id="an error"),
        pytest.param([], "nothing that is an answer", id="no document of Prometheus"),
        pytest.param({"status": "success"}, "no instant vector", id="no data"),
        pytest.param(
            {"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}},
            "no instant vector",
            id="a number instead of series",
        ),
    ],
)
async def test_an_answer_that_is_none_is_an_error(document: Any, reason: str) -> None:
    async with prometheus(told(document)) as url:
        with pytest.raises(PrometheusError, match=reason):
            await instant(url, QUERY)


async def test_a_page_that_is_no_json_is_an_error() -> None:
    async with prometheus(lambda _: web.Response(text="<html>")) as url:
        with pytest.raises(PrometheusError):
            await instant(url, QUERY)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("55.04", "55.04"),
        ("5.504e+01", "55.04"),
        ("0.19149999999999998", "0.1915"),
        ("100", "100"),
        ("1e-9", "0.000000001"),
        ("1e-12", None),
        ("0", None),
        ("-3", None),
        ("NaN", None),
        ("+Inf", None),
        ("1e300", None),
        ("dear", None),
    ],
)
def test_a_value_is_a_price_to_the_nano_unit_or_none(value: str, expected: str | None) -> None:
    found = node_prices([({"node": "a", "instance_type": "t"}, value)])
    wanted = {} if expected is None else {"a": Measured(price=expected, instance_type="t")}
    assert found == wanted


def test_of_two_prices_for_one_node_none_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    series = [({"node": "a"}, "1"), ({"node": "a"}, "2"), ({"node": "b"}, "3"), ({}, "4")]
    assert set(node_prices(series)) == {"b"}
    assert "node=a" in caplog.text
    assert set(node_prices([({"node": "a", "job": "1"}, "1"), ({"node": "a"}, "1.0")])) == {"a"}


class Taken:
    """What was handed on."""

    def __init__(self) -> None:
        self.prices: list[Mapping[str, Measured]] = []

    def __call__(self, prices: Mapping[str, Measured], now: Ms) -> None:
        self.prices.append(prices)


async def test_a_failure_is_said_once_and_hands_nothing_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    taken = Taken()
    documents = [vector(({"node": "a"}, "1")), {"status": "error"}, {"status": "error"}, vector()]

    def answer(query: str) -> web.Response:
        return told(documents.pop(0))(query)

    async with prometheus(answer) as url:
        opencost = OpenCost(url.replace("http://", "http://me:secret@"), QUERY, taken)
        assert opencost.up is None
        seen = []
        for _ in range(4):
            await opencost.look()
            seen.append(opencost.up)
    assert seen == [True, False, False, True]
    assert [set(each) for each in taken.prices] == [{"a"}, set()]
    assert caplog.text.count("unreachable") == 1
    assert "keep the prices" in caplog.text
    assert "secret" not in caplog.text


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    async with prometheus(told(vector())) as url:
        pass
    opencost = OpenCost(url, QUERY, Taken())
    await opencost.look()
    assert opencost.up is False


async def test_it_asks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bursar.runtime.configuring.prometheus.PAUSE_SECONDS", 0.01)
    taken = Taken()
    async with prometheus(told(vector(({"node": "a"}, "1")))) as url:
        asking = asyncio.create_task(OpenCost(url, QUERY, taken).run())
        async with asyncio.timeout(10):
            while len(taken.prices) < 3:
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
