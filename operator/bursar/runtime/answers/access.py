"""Who may read the read API: by a bearer token, or by where a request without one comes from.

A token is reviewed by the API server (TokenReview), and its rights are asked for there, too
(SubjectAccessReview): nothing is decided here that RBAC could. Who may use the service proxy of
the operator's own Service sees all, as he would through the API server; else only the namespaces
whose budgets he may read. Through that proxy no token arrives and no user, because the API server
has decided already: such requests are told by their source's address (setting `api_open_to`).

Answers are remembered for a short time under a digest of the token. Tokens are never kept, nor
logged.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol

from bursar.runtime import clock
from bursar.runtime.answers.refused import Refused
from bursar.runtime.answers.routes import Scope
from bursar.runtime.cluster.gateway import ApiError

REMEMBERED = 2_000
ALLOWED_SECONDS = 30.0
DENIED_SECONDS = 5.0
"""How long a review is believed; a right that was just given must act soon."""
REVIEWS = 4
"""Reviews at a time: strangers' tokens must not keep the operator from its own requests."""
WAITING = 100
LONGEST_TOKEN = 16_384
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
WRITERS = (
    "name a token: the ledger is changed without one only from addresses that api_write_open_to "
    "names, such as those of `kubectl port-forward`"
)
Network = IPv4Network | IPv6Network


class Reviewer(Protocol):
    """The API server, as far as reviews need it."""

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in a collection; a review is answered at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Whose token it is, as the API server says."""

    name: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What somebody must be allowed, in RBAC's terms; `words` says it in a message."""

    attributes: Mapping[str, str]
    words: str


class Access:
    """Decides about requests.

    Args:
        reviewer: asks the API server.
        open_to: networks from which a request without a token is served.
        writers: networks from which one that changes the ledger is.
        namespace: that the operator is installed in.
        service: name of its Service.
        monotonic: seconds, for how long answers are believed.
    """

    def __init__(
        self,
        reviewer: Reviewer,
        open_to: Sequence[Network],
        namespace: str,
        service: str,
        monotonic: Callable[[], float] = clock.monotonic,
        writers: Sequence[Network] = (),
    ) -> None:
        self._reviewer = reviewer
        self._open_to = tuple(open_to)
        self._writers = tuple(writers)
        self._everything = everything(namespace, service)
        self._ledger = ledger_of(namespace, service)
        self._monotonic = monotonic
        self._known: OrderedDict[tuple[str, str], tuple[float, User | bool | None]] = OrderedDict()
        self._turn = asyncio.Semaphore(REVIEWS)
        self._waiting = 0

    async def admit(
        self, authorization: str | None, source: str | None, scope: Scope, namespace: str | None
    ) -> str | None:
        """Let a request pass.

        Args:
            authorization: the header, as it came.
            source: address that the request comes from.
            scope: of the route.
            namespace: that the request is about; None: all.

        Returns:
            The user whose token it is; None where there is none.

        Raises:
            Refused: 401 without a valid token, 403 without the right, 503 where the API server
                cannot be asked.
        """
        if authorization is None:
            self._without_token(source, scope)
            return None
        token = bearer(authorization)
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        user = await self._user(digest, token)
        if user is None:
            raise _unauthorized("the API server does not accept this token")
        if scope is Scope.LEDGER:
            if not await self._may(digest, user, self._ledger):
                raise Refused(403, f"this changes the ledger: you need {self._ledger.words}")
            return user.name
        if scope is Scope.ANYONE or await self._may(digest, user, self._everything):
            return user.name
        if scope is Scope.CLUSTER:
            raise Refused(403, f"this is the whole cluster's: you need {self._everything.words}")
        if namespace is None:
            said = "name a namespace (namespace=…) whose budgets you may read; for all you need"
            raise Refused(403, f"{said} {self._everything.words}")
        mine = budgets_of(namespace)
        if not await self._may(digest, user, mine):
            raise Refused(403, f"you need {mine.words}, or {self._everything.words}")
        return user.name

    def _without_token(self, source: str | None, scope: Scope) -> None:
        if scope is Scope.LEDGER:
            if not is_open(source, self._writers):
                raise _unauthorized(WRITERS)
        elif not is_open(source, self._open_to):
            raise _unauthorized("name a token: this address is not one that is let in without")

    async def _user(self, digest: str, token: str) -> User | None:
        async def ask() -> User | None:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                    "spec": {"token": token}}  # fmt: skip
            return user_of(await self._create(TOKEN_REVIEWS, body))

        found = await self._remember((digest, ""), ask)
        return found if isinstance(found, User) else None

    async def _may(self, digest: str, user: User, right: Right) -> bool:
        async def ask() -> bool:
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": user.name,
                    "uid": user.uid,
                    "groups": list(user.groups),
                    "extra": {key: list(values) for key, values in user.extra},
                    "resourceAttributes": dict(right.attributes),
                },
            }
            answer = await self._create(ACCESS_REVIEWS, body)
            return (answer.get("status") or {}).get("allowed") is True

        return await self._remember((digest, right.words), ask) is True

    async def _remember(self, key: tuple[str, str], ask: Callable[[], Any]) -> User | bool | None:
        now = self._monotonic()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            self._known.move_to_end(key)
            return known[1]
        if self._waiting >= WAITING:
            raise Refused(503, "too many tokens are being reviewed: try again")
        self._waiting += 1
        try:
            async with self._turn:
                found: User | bool | None = await ask()
        finally:
            self._waiting -= 1
        until = self._monotonic() + (ALLOWED_SECONDS if found else DENIED_SECONDS)
        self._known[key] = (until, found)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._reviewer.create(path, body)
        except ApiError as error:
            if error.status == 403:
                said = "the operator may not review tokens: its chart is older than it, upgrade it"
                raise Refused(503, said) from error
            said = "the API server cannot be asked about this token now"
            raise Refused(503, f"{said}: {error.status or 'unreachable'}") from error


def everything(namespace: str, service: str) -> Right:
    """The right to see all: the use of the API server's proxy to the operator's own Service."""
    name = f"http:{service}:http"
    return Right(
        attributes={
            "verb": "get",
            "resource": "services",
            "subresource": "proxy",
            "namespace": namespace,
            "name": name,
        },
        words=f"get on services/proxy {name} in {namespace} (ClusterRole bursar-viewer)",
    )


def ledger_of(namespace: str, service: str) -> Right:
    """The right to change the ledger, or to take all of it away."""
    name = f"http:{service}:http"
    return Right(
        attributes={
            "verb": "create",
            "resource": "services",
            "subresource": "proxy",
            "namespace": namespace,
            "name": name,
        },
        words=f"create on services/proxy {name} in {namespace} (ClusterRole bursar-accountant)",
    )


def budgets_of(namespace: str) -> Right:
    """The right to see what belongs to one namespace."""
    return Right(
        attributes={
            "verb": "get",
            "group": "bursar.dev",
            "resource": "aibudgets",
            "namespace": namespace,
        },
        words=f"get on aibudgets.bursar.dev in {namespace} (ClusterRole view holds it)",
    )


def bearer(authorization: str) -> str:
    """The token of an Authorization header.

    Raises:
        Refused: it holds none.
    """
    kind, _, token = authorization.partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise _unauthorized("write the header as `Authorization: Bearer TOKEN`")
    if len(token) > LONGEST_TOKEN:
        raise _unauthorized(f"the token has more than {LONGEST_TOKEN} characters")
    return token


def is_open(source: str | None, networks: Sequence[Network]) -> bool:
    """Tell whether an address is one that is served without a token."""
    try:
        address = ip_address((source or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def user_of(review: Mapping[str, Any]) -> User | None:
    """Whose token was reviewed; None: nobody's."""
    status = review.get("status") or {}
    user = status.get("user") or {}
    if status.get("authenticated") is not True or not user.get("username"):
        return None
    extra = user.get("extra") or {}
    return User(
        name=str(user["username"]),
        uid=str(user.get("uid") or ""),
        groups=tuple(user.get("groups") or ()),
        extra=tuple((str(key), tuple(values)) for key, values in sorted(extra.items())),
    )


def _unauthorized(said: str) -> Refused:
    return Refused(401, said, {"WWW-Authenticate": 'Bearer realm="bursar"'})
