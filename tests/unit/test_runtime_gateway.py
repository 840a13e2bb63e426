"""Paths of the API, what a request is counted as, and what becomes of a broken connection."""

import ssl
from collections import Counter
from typing import Any

import aiohttp
import pytest

from bursar.runtime.cluster.gateway import ApiError, Credentials, _Guarded, object_path, resource_of


@pytest.mark.parametrize(
    ("arguments", "path", "resource"),
    [
        (("v1", "pods"), "/api/v1/pods", "pods"),
        (("v1", "pods", "vision"), "/api/v1/namespaces/vision/pods", "pods"),
        (("v1", "pods", "vision", "p"), "/api/v1/namespaces/vision/pods/p", "pods"),
        (("v1", "nodes", "", "n"), "/api/v1/nodes/n", "nodes"),
        (("v1", "namespaces"), "/api/v1/namespaces", "namespaces"),
        (("v1", "namespaces", "", "vision"), "/api/v1/namespaces/vision", "namespaces"),
        (
            ("bursar.dev/v1alpha1", "aibudgets", "vision", "gpu", "status"),
            "/apis/bursar.dev/v1alpha1/namespaces/vision/aibudgets/gpu/status",
            "aibudgets/status",
        ),
        (
            ("bursar.dev/v1alpha1", "clusteraibudgets", "", "gpu", "status"),
            "/apis/bursar.dev/v1alpha1/clusteraibudgets/gpu/status",
            "clusteraibudgets/status",
        ),
        (
            ("batch/v1", "jobs", "namespaces", "pods"),
            "/apis/batch/v1/namespaces/namespaces/jobs/pods",
            "jobs",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
def test_a_path_and_what_it_is_counted_as(
    arguments: tuple[str, ...], path: str, resource: str
) -> None:
    assert object_path(*arguments) == path
    assert resource_of(path) == resource


def test_credentials_are_never_written_out() -> None:
    credentials = Credentials(
        server="https://localhost",
        ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        token="hush",
        key_path="hush.key",
    )
    assert "hush" not in repr(credentials)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ApiError(0, "GET", "/api/v1/pods", "refused"), "GET /api/v1/pods: unreachable: refused"),
        (ApiError(404, "GET", "/api/v1/pods", "no"), "GET /api/v1/pods: 404: no"),
    ],
)
def test_an_error_names_the_request_and_what_became_of_it(error: ApiError, said: str) -> None:
    assert str(error) == said


class Broken:
    """A request that breaks when it is sent, or while its answer is read."""

    def __init__(self, when_sent: Exception | None = None) -> None:
        self._when_sent = when_sent

    async def __aenter__(self) -> Any:
        if self._when_sent is not None:
            raise self._when_sent
        return type("Response", (), {"status": 200})()

    async def __aexit__(self, *error: object) -> None:
        pass


BREAKS = [
    aiohttp.ClientPayloadError("cut off"),
    aiohttp.ServerDisconnectedError(),
    ConnectionResetError("reset"),
    TimeoutError(),
]


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
async def test_a_request_that_cannot_be_sent_is_an_error_of_the_api(error: Exception) -> None:
    requests: Counter[tuple[str, str, int]] = Counter()
    with pytest.raises(ApiError) as found:
        async with _Guarded(Broken(error), "GET", "/api/v1/pods", requests):
            pass
    assert found.value.status == 0
    assert requests == {("GET", "pods", 0): 1}


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
async def test_an_answer_that_breaks_off_is_an_error_of_the_api(error: Exception) -> None:
    requests: Counter[tuple[str, str, int]] = Counter()
    with pytest.raises(ApiError) as found:
        async with _Guarded(Broken(), "GET", "/api/v1/pods", requests):
            raise error
    assert found.value.status == 0
    assert requests == {("GET", "pods", 200): 1}


async def test_an_error_of_the_caller_stays_what_it_is() -> None:
    with pytest.raises(KeyError):
        async with _Guarded(Broken(), "GET", "/api/v1/pods", Counter()):
            raise KeyError("mine")
