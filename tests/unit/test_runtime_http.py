"""The server of metrics, probes and the read API: what it answers, and what it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bursar.errors import BursarError, LedgerError
from bursar.runtime.answers.refused import Refused
from bursar.runtime.http import (
    PREFIX,
    ROUTES,
    Attachment,
    Question,
    Scope,
    application,
    serve,
)
from bursar.runtime.http import server as module
from bursar.runtime.metrics.exposition import Page

SECRET = "what-only-the-log-may-say"


@dataclass
class Stub:
    """Probes, pages and guard of a server without an operator."""

    fails: Exception | None = None
    refuses: Refused | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, Question]] = field(default_factory=list)
    admitted: list[tuple[str | None, str | None, Scope, str | None]] = field(default_factory=list)
    slow: bool = False
    attached: Path | None = None
    scraped: list[tuple[str, str | None]] = field(default_factory=list)

    async def answer(self, accept: str, scraper: str | None) -> Page:
        self.scraped.append((accept, scraper))
        return Page(body=b"up 1\n", content_type="text/plain; version=0.0.4; charset=utf-8")

    def health(self) -> Mapping[str, str]:
        return self.problems

    readiness = health

    async def admit(self, *asked: Any) -> None:
        self.admitted.append(asked)  # type: ignore[arg-type]
        if self.refuses is not None:
            raise self.refuses

    def read(self, name: str, question: Question) -> Awaitable[Mapping[str, Any] | Attachment]:
        self.asked.append((name, question))
        return self._answer(name)

    async def _answer(self, name: str) -> Mapping[str, Any] | Attachment:
        if self.fails is not None:
            raise self.fails
        if self.slow:
            await asyncio.Event().wait()
        if self.attached is not None:
            return Attachment(path=self.attached, size=self.attached.stat().st_size)
        return {"page": name}


@dataclass
class Site:
    """A running server and a client of it."""

    session: aiohttp.ClientSession
    port: int

    async def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self.session.request(method, url, headers=headers) as response:
            body = await response.read()
            is_json = response.content_type == "application/json"
            found = json.loads(body) if body and is_json else body
            return response.status, found, dict(response.headers)

    async def raw(self, data: bytes) -> bytes:
        """Send bytes as they are, and read what comes until the server ends it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@asynccontextmanager
async def site(stub: Stub) -> AsyncIterator[Site]:
    app = application(stub, stub, stub, stub)
    runner, port = await serve(app, "127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            yield Site(session, port)
    finally:
        await runner.cleanup()


async def test_each_route_is_answered_by_its_page() -> None:
    stub = Stub()
    async with site(stub) as here:
        for route in ROUTES:
            path = route.path.format(kind="pod", namespace="vision", name="p")
            asked = {"Content-Type": "application/json"} if route.method == "POST" else {}
            status, found, headers = await here.ask(PREFIX + path, method=route.method, **asked)
            assert status == 200, found
            assert headers["Cache-Control"] == "no-store"
            if route.name != "index":
                assert found == {"page": route.name}
                assert stub.asked[-1][0] == route.name
            assert stub.admitted[-1][2] is route.scope
    assert stub.admitted[0][1] == "127.0.0.1"


async def test_a_browser_is_never_led_to_change_the_ledger() -> None:
    stub = Stub()
    async with site(stub) as here:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            path = f"{PREFIX}/ledger/rerate"
            status, found, _ = await here.ask(path, method="POST", **{"Content-Type": kind})
            assert (status, "application/json" in found["error"]) == (415, True)
    assert stub.admitted == []


async def test_an_answer_that_is_a_file_is_sent_whole_and_removed(tmp_path: Path) -> None:
    stub = Stub(attached=tmp_path / "copy.db")
    stub.attached.write_bytes(b"x" * 700_001)
    async with site(stub) as here:
        asked = {"Content-Type": "application/json"}
        status, found, headers = await here.ask(f"{PREFIX}/ledger/backup", method="POST", **asked)
    assert (status, len(found), headers["Content-Type"]) == (
        200, 700_001, "application/vnd.sqlite3",
    )  # fmt: skip
    assert not stub.attached.exists()


async def test_whoever_scrapes_as_prometheus_is_known_by_his_address_and_people_are_not() -> None:
    stub = Stub()
    async with site(stub) as here:
        prometheus = {"Accept": "text/plain", "X-Prometheus-Scrape-Timeout-Seconds": "10"}
        status, found, headers = await here.ask("/metrics", **prometheus)
        await here.ask("/metrics", Accept="*/*")
    assert (status, found) == (200, b"up 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert stub.scraped == [("text/plain", "127.0.0.1"), ("*/*", None)]


async def test_the_index_lists_every_route_with_its_parameters() -> None:
    async with site(Stub()) as here:
        status, found, _ = await here.ask(PREFIX)
        again, same, _ = await here.ask(PREFIX + "/")
    assert (status, again) == (200, 200)
    assert found == same
    assert [each["path"] for each in found["paths"]] == [PREFIX + route.path for route in ROUTES]
    report = next(each for each in found["paths"] if each["path"].endswith("/report"))
    assert [each["name"] for each in report["parameters"]] == [
        *("month", "from", "to", "timezone", "by", "where", "namespace", "limit")
    ]


async def test_a_question_carries_what_was_asked_and_for_which_namespace() -> None:
    stub = Stub()
    async with site(stub) as here:
        await here.ask(f"{PREFIX}/runs?class=training&limit=5&namespace=vision&month=")
        await here.ask(f"{PREFIX}/explain/pod/nlp/p", Authorization="Bearer hush")
    first, second = (question for _, question in stub.asked)
    assert first.query == {"class": "training", "limit": "5", "namespace": "vision"}
    assert (first.namespace, second.namespace) == ("vision", "nlp")
    assert stub.admitted[1] == ("Bearer hush", "127.0.0.1", Scope.NAMESPACE, "nlp")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("report?colour=red", "no parameter 'colour': there are month", id="unknown"),
        pytest.param("queue?month=2026-11", "there are namespace", id="another route's"),
        pytest.param("explain/pod/a/b?x=1", "there are uid, timezone", id="another page's"),
        pytest.param("report?by=team&by=class", "by is given twice", id="given twice"),
        pytest.param("report?by=shoe", "parameter by: can't report by 'shoe'", id="no key"),
        pytest.param("report?month=2026-13", "parameter month: '2026-13' is no month", id="month"),
        pytest.param("report?from=soon", "parameter from: from: 'soon' is no moment", id="moment"),
        pytest.param("report?to=0d1x", "parameter to: ", id="no end"),
        pytest.param("report?namespace=a%2Fb", "is no name of a namespace", id="no namespace"),
        pytest.param("runs?class=big", "not one of training, inference", id="no class"),
        pytest.param("runs?limit=0", "not a whole number from 1 to 1000", id="too few"),
        pytest.param("runs?limit=%D9%A3", "not a whole number", id="a digit of another script"),
        pytest.param("runs?offset=-1", "not a whole number from 0", id="before the first"),
        pytest.param("report?by=" + "a" * 600, "has 600 characters", id="a long value"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named_with_what_is_legal(
    query: str, said: str
) -> None:
    stub = Stub()
    async with site(stub) as here:
        status, found, _ = await here.ask(f"{PREFIX}/{query}")
    assert status == 400
    assert list(found) == ["error"]
    assert said in found["error"]
    assert "\n" not in found["error"]
    assert stub.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_only_reading_is_allowed(method: str) -> None:
    async with site(Stub()) as here:
        status, found, headers = await here.ask(f"{PREFIX}/report", method)
    assert status == 405
    assert "GET" in headers["Allow"]
    assert "for reading" in found["error"]


async def test_head_answers_without_a_body() -> None:
    async with site(Stub()) as here:
        status, found, headers = await here.ask(f"{PREFIX}/report", "HEAD")
    assert (status, found) == (200, b"")
    assert headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/", "/api", "/api/v2/report", f"{PREFIX}/reports", "/../etc"])
async def test_nothing_is_elsewhere(path: str) -> None:
    async with site(Stub()) as here:
        status, found, _ = await here.ask(path)
    assert (status, found) == (404, {"error": "nothing is here: GET /api/v1 lists what there is"})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BursarError("what is wrong"), 400),
        (Refused(404, "what is wrong"), 404),
        (LedgerError("x.db", "what is wrong"), 503),
        (TimeoutError(), 503),
        (KeyError(SECRET), 500),
    ],
    ids=["a question", "a refusal", "the ledger", "the time", "a defect"],
)
async def test_what_goes_wrong_is_one_line_without_its_insides(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(Stub(fails=error)) as here:
        got, found, _ = await here.ask(f"{PREFIX}/report")
    assert got == status
    assert list(found) == ["error"]
    assert "\n" not in found["error"]
    assert SECRET not in found["error"]
    assert (SECRET in caplog.text) == (status == 500)


async def test_who_is_not_let_in_learns_why_and_nothing_is_read() -> None:
    stub = Stub(refuses=Refused(401, "name a token", {"WWW-Authenticate": "Bearer"}))
    async with site(stub) as here:
        status, found, headers = await here.ask(f"{PREFIX}/report")
        open_ones = [(await here.ask(path))[0] for path in ("/metrics", "/livez", "/readyz")]
    assert (status, found) == (401, {"error": "name a token"})
    assert headers["WWW-Authenticate"] == "Bearer"
    assert stub.asked == []
    assert open_ones == [200, 200, 200]


async def test_probes_name_what_is_wrong() -> None:
    async with site(Stub(problems={"ledger": "disk full"})) as here:
        status, found, _ = await here.ask("/readyz")
    assert (status, found) == (503, b"ledger: disk full\n")


async def test_a_target_that_is_too_long_is_refused() -> None:
    async with site(Stub()) as here:
        status, found, _ = await here.ask(f"{PREFIX}/report?by=" + "a" * 9_000)
    assert status == 414
    assert "8192 bytes" in found["error"]


GET = b"GET /api/v1/report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GET /api/v1/%zz%ff?%00=%ff HTTP/1.0\r\n\r\n", b"404", id="bad percents"),
        pytest.param(b"GET /api/v1/queue?%ff=%fe HTTP/1.0\r\n\r\n", b"400", id="bad UTF-8"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400", id="TLS"),
        pytest.param(b"GET / SMTP\r\n\r\n", b"400", id="no HTTP"),
        pytest.param(GET + b"X: " + b"a" * 80_000 + b"\r\n\r\n", b"400", id="a huge header"),
        pytest.param(b"GET /" + b"a" * 80_000 + b" HTTP/1.1\r\n\r\n", b"400", id="a huge line"),
        pytest.param(GET + b"X: 1\r\n" * 500 + b"\r\n", b"400", id="many headers"),
        pytest.param(GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", id="bad chunks"),
        pytest.param(GET + b"Authorization: Bearer \xff\xfe\r\n\r\n", b"200", id="a bad header"),
    ],
)
async def test_what_is_hostile_is_answered_and_the_next_one_too(
    data: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(Stub()) as here:
        answer = await here.raw(data)
        assert answer.split(b" ", 2)[1] == status, answer[:300]
        assert b"Traceback" not in answer
        assert (await here.ask(PREFIX))[0] == 200
    assert "Traceback" not in caplog.text


async def test_who_sends_nothing_or_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.3)
    async with site(Stub()) as here:
        silent, drip = await asyncio.gather(here.raw(b""), here.raw(b"GET /metrics HTTP/1.1\r\nX"))
        assert (silent, drip) == (b"", b"")
        assert (await here.ask(PREFIX))[0] == 200


async def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    async with site(Stub(slow=True)) as here:
        status, found, _ = await here.ask(f"{PREFIX}/report")
    assert status == 503
    assert "took too long" in found["error"]


async def test_an_address_in_use_is_one_line() -> None:
    async with site(Stub()) as here:
        app = application(Stub(), Stub(), Stub(), Stub())
        with pytest.raises(BursarError, match=f"cannot listen on 127.0.0.1:{here.port}"):
            await serve(app, "127.0.0.1", here.port)


def test_no_parameter_is_one_that_the_api_servers_proxy_keeps_for_itself() -> None:
    named = {each.name for route in ROUTES for each in route.parameters}
    assert not named & {"dryRun", "fieldManager", "fieldValidation", "pretty", "watch"}
