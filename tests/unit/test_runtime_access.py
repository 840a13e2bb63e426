"""Who may read the read API: tokens, rights, addresses, and how long an answer is believed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from bursar.runtime.answers import access as module
from bursar.runtime.answers.access import (
    ACCESS_REVIEWS,
    ALLOWED_SECONDS,
    DENIED_SECONDS,
    TOKEN_REVIEWS,
    Access,
    bearer,
    is_open,
)
from bursar.runtime.answers.refused import Refused
from bursar.runtime.cluster.gateway import ApiError
from bursar.runtime.http import Scope

EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass
class Api:
    """An API server that knows some tokens and their rights."""

    users: Mapping[str, str] = field(default_factory=lambda: {"good": "ann", "view": "vic"})
    rights: set[tuple[str, str, str]] = field(
        default_factory=lambda: {("vic", "services", "bursar"), ("ann", "aibudgets", "vision")}
    )
    fails: ApiError | None = None
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    now: float = 0.0

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body))
        if self.fails is not None:
            raise self.fails
        if path == TOKEN_REVIEWS:
            name = self.users.get(body["spec"]["token"])
            if name is None:
                return {"status": {"error": "unknown token"}}
            user = {"username": name, "groups": ["people"], "extra": {"k": ["v"]}}
            return {"status": {"authenticated": True, "user": user}}
        assert path == ACCESS_REVIEWS
        spec = body["spec"]
        where = spec["resourceAttributes"]
        right = (spec["user"], where["resource"], where["namespace"])
        return {"status": {"allowed": right in self.rights}}

    def access(self, open_to: tuple[str, ...] = EVERYWHERE) -> Access:
        networks = [ip_network(text) for text in open_to]
        return Access(self, networks, "bursar", "bursar", lambda: self.now)


async def refused(access: Access, *asked: Any) -> Refused:
    with pytest.raises(Refused) as found:
        await access.admit(*asked)
    assert "\n" not in str(found.value)
    return found.value


@pytest.mark.parametrize(
    ("token", "scope", "namespace"),
    [
        pytest.param("view", Scope.CLUSTER, None, id="a viewer sees the cluster"),
        pytest.param("view", Scope.NAMESPACE, None, id="a viewer need not name a namespace"),
        pytest.param("good", Scope.NAMESPACE, "vision", id="a tenant sees his namespace"),
        pytest.param("good", Scope.ANYONE, None, id="anybody whose token is valid sees the index"),
    ],
)
async def test_who_has_the_right_is_let_in(token: str, scope: Scope, namespace: str | None) -> None:
    await Api().access(()).admit(f"Bearer {token}", None, scope, namespace)


@pytest.mark.parametrize(
    ("header", "scope", "namespace", "status", "said"),
    [
        pytest.param("Bearer bad", Scope.ANYONE, None, 401, "does not accept", id="unknown"),
        pytest.param("Basic YTpi", Scope.ANYONE, None, 401, "Bearer TOKEN", id="a password"),
        pytest.param("Bearer ", Scope.ANYONE, None, 401, "Bearer TOKEN", id="no token"),
        pytest.param("good", Scope.ANYONE, None, 401, "Bearer TOKEN", id="no kind"),
        pytest.param(
            "Bearer " + "x" * 20_000, Scope.ANYONE, None, 401, "more than", id="a huge token"
        ),
        pytest.param(
            "Bearer good",
            Scope.CLUSTER,
            None,
            403,
            "get on services/proxy http:bursar:http in bursar (ClusterRole bursar-viewer)",
            id="a tenant and the cluster",
        ),
        pytest.param(
            "Bearer good", Scope.NAMESPACE, None, 403, "name a namespace", id="a tenant and all"
        ),
        pytest.param(
            "Bearer good",
            Scope.NAMESPACE,
            "nlp",
            403,
            "get on aibudgets.bursar.dev in nlp",
            id="a tenant and another's namespace",
        ),
    ],
)
async def test_who_has_not_is_told_what_is_missing(
    header: str, scope: Scope, namespace: str | None, status: int, said: str
) -> None:
    found = await refused(Api().access(), header, "127.0.0.1", scope, namespace)
    assert found.status == status
    assert said in str(found)
    assert ("WWW-Authenticate" in found.headers) == (status == 401)


async def test_a_review_carries_all_that_the_api_server_said_of_the_user() -> None:
    api = Api()
    await api.access().admit("Bearer good", None, Scope.NAMESPACE, "vision")
    spec = api.asked[-1][1]["spec"]
    assert (spec["user"], spec["groups"], spec["extra"]) == ("ann", ["people"], {"k": ["v"]})
    assert spec["resourceAttributes"] == {
        "verb": "get",
        "group": "bursar.dev",
        "resource": "aibudgets",
        "namespace": "vision",
    }


@pytest.mark.parametrize(
    ("source", "networks", "is_let_in"),
    [
        ("10.1.2.3", EVERYWHERE, True),
        ("fd00::1", EVERYWHERE, True),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("192.168.1.1", ("10.0.0.0/8",), False),
        ("fd00::1", ("10.0.0.0/8",), False),
        ("10.1.2.3", (), False),
        (None, EVERYWHERE, False),
        ("unix:", EVERYWHERE, False),
    ],
)
async def test_without_a_token_the_address_decides(
    source: str | None, networks: tuple[str, ...], is_let_in: bool
) -> None:
    assert is_open(source, [ip_network(text) for text in networks]) is is_let_in
    api = Api()
    access = api.access(networks)
    if is_let_in:
        await access.admit(None, source, Scope.CLUSTER, None)
    else:
        assert (await refused(access, None, source, Scope.CLUSTER, None)).status == 401
    assert api.asked == []


async def test_a_token_is_never_waved_through_for_its_address() -> None:
    assert (await refused(Api().access(), "Bearer bad", "127.0.0.1", Scope.CLUSTER, None)).status


async def test_answers_are_believed_for_a_while_and_no_longer() -> None:
    api = Api()
    access = api.access()
    for _ in range(3):
        await access.admit("Bearer view", None, Scope.CLUSTER, None)
    assert len(api.asked) == 2
    api.now += ALLOWED_SECONDS
    await access.admit("Bearer view", None, Scope.CLUSTER, None)
    assert len(api.asked) == 4


async def test_a_right_that_was_just_given_acts_soon() -> None:
    api = Api()
    access = api.access()
    await refused(access, "Bearer good", None, Scope.CLUSTER, None)
    api.rights.add(("ann", "services", "bursar"))
    await refused(access, "Bearer good", None, Scope.CLUSTER, None)
    api.now += DENIED_SECONDS
    await access.admit("Bearer good", None, Scope.CLUSTER, None)


async def test_what_is_remembered_is_bounded_and_holds_no_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    access = Api().access()
    for number in range(50):
        await refused(access, f"Bearer secret-{number}", None, Scope.ANYONE, None)
    assert len(access._known) == 10
    assert "secret" not in repr(access._known)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ApiError(0, "POST", TOKEN_REVIEWS, "refused"), "cannot be asked about this token now"),
        (ApiError(500, "POST", TOKEN_REVIEWS, "x"), "cannot be asked about this token now"),
        (ApiError(403, "POST", TOKEN_REVIEWS, "no"), "the operator may not review tokens"),
    ],
    ids=["it is away", "it is broken", "the operator has no right"],
)
async def test_without_the_api_server_nobody_with_a_token_is_let_in(
    error: ApiError, said: str
) -> None:
    api = Api(fails=error)
    access = api.access()
    found = await refused(access, "Bearer good", None, Scope.ANYONE, None)
    assert found.status == 503
    assert said in str(found)
    api.fails = None
    await access.admit("Bearer good", None, Scope.ANYONE, None)


async def test_strangers_tokens_are_reviewed_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAITING", 6)
    gate = asyncio.Event()
    running: list[int] = []

    class Slow(Api):
        async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
            running.append(1)
            await gate.wait()
            return {}

    access = Slow().access()
    tasks = [
        asyncio.create_task(access.admit(f"Bearer t{n}", None, Scope.ANYONE, None))
        for n in range(9)
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert len(running) == module.REVIEWS
    gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(each.status for each in outcomes if isinstance(each, Refused)) == [
        *([401] * 6),
        *([503] * 3),
    ]


def test_a_bearer_token_is_read_whatever_the_case_of_its_name() -> None:
    assert bearer("bearer  abc ") == "abc"


@pytest.mark.parametrize(
    ("source", "writers", "let_in"),
    [
        pytest.param("127.0.0.1", ("127.0.0.0/8",), True, id="a port-forward"),
        pytest.param("10.0.0.7", ("127.0.0.0/8",), False, id="some pod"),
        pytest.param("10.0.0.7", ("10.0.0.7/32",), True, id="the API server, where it is named"),
        pytest.param("127.0.0.1", (), False, id="nobody"),
    ],
)
async def test_the_ledger_is_changed_without_a_token_only_from_where_that_is_said(
    source: str, writers: tuple[str, ...], let_in: bool
) -> None:
    access = Access(
        Api(),
        [ip_network(text) for text in EVERYWHERE],
        "bursar",
        "bursar",
        lambda: 0.0,
        writers=[ip_network(text) for text in writers],
    )
    if let_in:
        assert await access.admit(None, source, Scope.LEDGER, None) is None
    else:
        assert (await refused(access, None, source, Scope.LEDGER, None)).status == 401
    await access.admit(None, source, Scope.CLUSTER, None)  # reading is open to all


async def test_a_token_changes_the_ledger_with_the_right_to_create_and_is_told_by_name() -> None:
    api = Api()
    access = api.access()
    assert await access.admit("Bearer view", None, Scope.LEDGER, None) == "vic"
    right = api.asked[-1][1]["spec"]["resourceAttributes"]
    assert (right["verb"], right["resource"], right["subresource"], right["name"]) == (
        "create", "services", "proxy", "http:bursar:http",
    )  # fmt: skip
    told = await refused(access, "Bearer good", None, Scope.LEDGER, None)
    assert (told.status, "ClusterRole bursar-accountant" in str(told)) == (403, True)
