"""How the command line finds the operator, and what it says where it does not."""

import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from bursar.cli.reach import connected, sandbox_url
from bursar.cli.server import Where, segment
from bursar.cli.source import Source, given
from bursar.errors import BursarError

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/aibudgets.bursar.dev"
PROXY = "/api/v1/namespaces/bursar-system/services/http:bursar:http/proxy"
PLACE = "bursar-system/http:bursar:http"


def definition(place: str | None = PLACE) -> dict[str, Any]:
    return {"metadata": {"annotations": {"bursar.dev/read-api": place} if place else {}}}


def status(reason: str, message: str = "said the API server") -> dict[str, Any]:
    """An error as an API server writes it."""
    return {"kind": "Status", "reason": reason, "message": message}


@dataclass
class Answers:
    """A server that answers by path, and remembers what it was asked."""

    by_path: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Answers]:
    answers = Answers()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked = dict(urllib.parse.parse_qsl(query))
            answers.asked.append((path, asked, self.headers.get("Authorization")))
            code, body = answers.by_path.get(path, (404, status("NotFound")))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code)
            if code == 302:
                self.send_header("Location", answers.url + "/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        answers.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield answers
        running.shutdown()
        thread.join()


@pytest.fixture
def kubeconfig(server: Answers, tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                "users": [{"name": "u", "user": {"token": "mine"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "here",
            }
        ),
        "utf-8",
    )
    return path


def get(where: Where, path: str = "report", **query: str) -> dict[str, Any]:
    with connected(where) as api:
        return api.get(path, query)


def test_the_clusters_own_proxy_leads_to_the_operator(server: Answers, kubeconfig: Path) -> None:
    server.by_path = {
        CRD: (200, definition()),
        f"{PROXY}/api/v1/report": (200, {"by": ["team"]}),
        f"{PROXY}/api/v1/runs": (200, {"runs": []}),
    }
    with connected(Where(kubeconfig=kubeconfig)) as api:
        assert api.get("report", {"by": "team"}) == {"by": ["team"]}
        assert api.get("runs") == {"runs": []}
    assert [path for path, _, _ in server.asked] == [
        CRD,
        f"{PROXY}/api/v1/report",
        f"{PROXY}/api/v1/runs",
    ]
    assert server.asked[1][1] == {"by": "team"}
    assert {token for _, _, token in server.asked} == {"Bearer mine"}


REPORT = f"{PROXY}/api/v1/report"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param(
            {}, "not installed in context here: install its chart", id="Bursar is not there"
        ),
        pytest.param({}, "`bursar audit` needs nothing installed", id="and what needs nothing"),
        pytest.param(
            {CRD: (403, status("Forbidden"))},
            "may not read CRD aibudgets.bursar.dev in context here: ask for ClusterRole bursar-v",
            id="no right to the CRD",
        ),
        pytest.param({CRD: (200, definition(None))}, "upgrade the chart", id="an old chart"),
        pytest.param({CRD: (200, definition("../x"))}, "upgrade the chart", id="no place"),
        pytest.param({CRD: (401, status("Unauthorized"))}, "log in again", id="not known"),
        pytest.param({CRD: (500, b"oops")}, "says 500", id="an API server in trouble"),
        pytest.param(
            {CRD: (200, definition()), REPORT: (403, status("Forbidden"))},
            "get on services/proxy http:bursar:http in bursar-system): ask for ClusterRole bursar",
            id="no right to the proxy",
        ),
        pytest.param(
            {CRD: (200, definition()), REPORT: (503, status("ServiceUnavailable", "no endpoints"))},
            "does not run (no endpoints): see `kubectl -n bursar-system get pods`",
            id="no operator",
        ),
        pytest.param(
            {CRD: (200, definition())}, "see `kubectl -n bursar-system get pods`", id="no Service"
        ),
        pytest.param(
            {CRD: (200, definition()), REPORT: (400, {"error": "parameter by: no such key"})},
            "parameter by: no such key",
            id="the operator says no",
        ),
        pytest.param({CRD: (200, definition()), REPORT: (200, b"<html>")}, "no JSON", id="no JSON"),
    ],
)
def test_each_thing_that_is_missing_is_named_with_the_next_step(
    server: Answers, kubeconfig: Path, answers: dict[str, tuple[int, Any]], said: str
) -> None:
    server.by_path = answers
    with pytest.raises(BursarError) as found:
        get(Where(kubeconfig=kubeconfig))
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_a_cluster_that_does_not_answer_is_named(kubeconfig: Path, server: Answers) -> None:
    text = kubeconfig.read_text("utf-8").replace(server.url, "http://127.0.0.1:1")
    kubeconfig.write_text(text, "utf-8")
    with pytest.raises(BursarError, match="context here cannot be reached"):
        get(Where(kubeconfig=kubeconfig))


def test_a_named_server_gets_the_token_and_nobody_else(
    server: Answers, kubeconfig: Path, tmp_path: Path
) -> None:
    server.by_path = {"/api/v1/report": (200, {"rows": []})}
    (tmp_path / "token").write_text("from-file\n", "utf-8")
    where = {"server": server.url + "/", "kubeconfig": kubeconfig}
    for more in ({}, {"token": "abc"}, {"token_file": tmp_path / "token"}):
        assert get(Where(**where, **more)) == {"rows": []}
    assert [token for _, _, token in server.asked] == [None, "Bearer abc", "Bearer from-file"]


def test_a_token_file_without_a_server_is_no_way_in(tmp_path: Path) -> None:
    where = Where(kubeconfig=tmp_path / "kubeconfig", token_file=tmp_path / "token")
    with pytest.raises(BursarError, match="--token-file goes with --server"), connected(where):
        pass


def test_a_token_is_not_taken_along_to_where_a_server_sends_us(server: Answers) -> None:
    server.by_path = {"/api/v1/report": (302, b""), "/elsewhere": (200, {})}
    with pytest.raises(BursarError, match="says 302"):
        get(Where(server=server.url, token="abc"))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("more", "answer", "said"),
    [
        pytest.param({}, (401, {"error": "name a token"}), "--token-file", id="a token is missing"),
        pytest.param(
            {"token": "x"}, (403, {"error": "you need get on"}), "you need get on", id="no right"
        ),
        pytest.param({}, (404, b"<html>"), "is it Bursar's read API?", id="another server"),
        pytest.param({}, (200, b"<html>"), "does not answer in JSON", id="no JSON"),
        pytest.param({}, (200, []), "does not answer as", id="a list"),
        pytest.param({"server": "ftp://x"}, (200, {}), "no URL", id="no HTTP"),
        pytest.param({"server": "http://127.0.0.1:1"}, (200, {}), "does not answer", id="nobody"),
        pytest.param({"token": "a\nb"}, (200, {}), "holds characters", id="a header in a token"),
        pytest.param(
            {"token": "a", "token_file": Path("b")}, (200, {}), "not both", id="two tokens"
        ),
        pytest.param({"token_file": Path("/none")}, (200, {}), "/none: No such", id="no file"),
    ],
)
def test_a_named_server_that_does_not_answer_is_one_line(
    server: Answers, more: dict[str, Any], answer: tuple[int, Any], said: str
) -> None:
    server.by_path = {"/api/v1/report": answer}
    with pytest.raises(BursarError) as found:
        get(Where(**{"server": server.url, **more}))
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def sandbox(folder: Path, **state: Any) -> Path:
    path = folder / "kubeconfig"
    path.write_text("", "utf-8")
    found = {"kubeconfig": str(path), "processes": [], **state}
    (folder / "state.json").write_text(json.dumps(found), "utf-8")
    return path


def test_a_sandboxs_kubeconfig_leads_to_its_operator(tmp_path: Path) -> None:
    path = sandbox(tmp_path, operator={"url": "http://127.0.0.1:9"})
    assert sandbox_url(path) == "http://127.0.0.1:9"


def test_a_sandbox_without_an_operator_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(BursarError, match="bursar sandbox operator start --dir"):
        sandbox_url(sandbox(tmp_path, operator=None))


@pytest.mark.parametrize("text", ["{}", "[]", "no", '{"kubeconfig": "/else", "processes": []}'])
def test_a_strangers_state_beside_a_kubeconfig_is_no_sandboxs(tmp_path: Path, text: str) -> None:
    path = sandbox(tmp_path)
    (tmp_path / "state.json").write_text(text, "utf-8")
    assert sandbox_url(path) is None
    assert sandbox_url(None) is None
    assert sandbox_url(Path(f"{path}:{path}")) is None


def test_a_server_and_a_ledger_are_not_both_asked() -> None:
    source = Source(where=Where(server="http://x"), ledger="sqlite:///x.db")
    with pytest.raises(BursarError, match="not both"), source.asking():
        pass


def test_a_ledger_is_asked_as_the_operator_is() -> None:
    source = Source(where=Where(), ledger="sqlite:///none.db")
    with source.asking() as ask, pytest.raises(BursarError, match="parameter class: 'big'"):
        ask("runs", {"class": "big"})
    with source.asking() as ask, pytest.raises(BursarError, match=r"ledger none\.db"):
        ask("runs", {})


def test_only_what_was_given_is_asked_for() -> None:
    assert given(month=None, from_="7d", limit=5, namespace="") == {"from": "7d", "limit": "5"}


def test_a_part_of_a_path_keeps_to_itself() -> None:
    assert segment("../a b/?x=%") == "..%2Fa%20b%2F%3Fx%3D%25"
