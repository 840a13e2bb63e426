"""Where the demo reads everything: the API server, the metrics endpoint, the read API."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml

from bursar import sandbox
from bursar.cli.demo.failed import DemoFailed
from bursar.cli.direct import ask
from bursar.domain.time import Ms, from_datetime
from bursar.sandbox import kubectl
from bursar.sandbox.processes import alive, kill
from bursar.sandbox.rest import Api

JSON = dict[str, Any]
Sample = tuple[Mapping[str, str], float]

_PODS = "/api/v1/pods?labelSelector=bursar.dev/accelerated%3Dtrue"
_OURS = "/apis/bursar.dev/v1alpha1"
_SCRAPE_SECONDS = 5
_BUSY = {429, 503}
_BUSY_SECONDS = 15.0
_AGAIN_SECONDS = 0.2


class Cluster:
    """The demo's sandbox.

    Attributes:
        state: of the sandbox, with the operator as it was last started.
        manifests: directory in which kubectl runs.
    """

    def __init__(self, state: sandbox.SandboxState, manifests: Path) -> None:
        self.state = state
        self.manifests = manifests
        config = yaml.safe_load(state.kubeconfig.read_text("utf-8"))
        token = config["users"][0]["user"]["token"]
        self._api = Api(state.server, state.dir / "pki" / "ca.crt", token)

    # --- the API server ----------------------------------------------------------------------

    @property
    def clock(self) -> Ms:
        """What the API server's clock said with its last answer (whole seconds)."""
        return from_datetime(parsedate_to_datetime(self._api.date))

    def now(self) -> Ms:
        """What the API server's clock says."""
        self.get("/version")
        return self.clock

    def get(self, path: str) -> JSON:
        """Read one path; a server that is busy for a moment is asked again, as kubectl does.

        Raises:
            DemoFailed: the API server has nothing there.
        """
        code, answer = self._request("GET", path)
        if code != 200 or not isinstance(answer, dict):
            raise DemoFailed(f"the API server answers GET {path} with {code}: {answer}"[:400])
        return answer

    def create(self, path: str, body: object) -> tuple[int, JSON]:
        """Create an object; returns the status code and the object, or why not."""
        code, answer = self._request("POST", path, body)
        if not isinstance(answer, dict):
            raise DemoFailed(f"the API server answers POST {path} with {code}: {answer}"[:400])
        return code, answer

    def _request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            code, answer = self._api.request(method, path, body)
            if code not in _BUSY or time.monotonic() > deadline:
                return code, answer
            time.sleep(_AGAIN_SECONDS)

    def pods(self) -> list[JSON]:
        """All pods that carry the stamp."""
        items: list[JSON] = self.get(_PODS)["items"]
        return sorted(items, key=lambda pod: (_place(pod), pod["metadata"]["name"]))

    def nodes(self) -> dict[str, JSON]:
        """All nodes by name."""
        items: list[JSON] = self.get("/api/v1/nodes")["items"]
        return {node["metadata"]["name"]: node for node in items}

    def budgets(self) -> list[JSON]:
        """All AIBudgets, then all ClusterAIBudgets."""
        found: list[JSON] = []
        for plural in ("aibudgets", "clusteraibudgets"):
            found += self.get(f"{_OURS}/{plural}")["items"]
        return found

    def budget(self, namespace: str, name: str) -> JSON:
        """One AIBudget."""
        return self.get(f"{_OURS}/namespaces/{namespace}/aibudgets/{name}")

    def job(self, namespace: str, name: str) -> JSON:
        """One Job."""
        return self.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}")

    def verdict(self, namespace: str) -> JSON:
        """What the API server judges by in a namespace."""
        return self.get(f"{_OURS}/namespaces/{namespace}/budgetverdicts/bursar")

    def price_book(self, name: str) -> JSON:
        """One PriceBook."""
        return self.get(f"{_OURS}/pricebooks/{name}")

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the directory of the manifests."""
        return self._run([str(self.state.kubectl), *arguments])

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return kubectl.execute(argv, self.state.kubeconfig, check=False, cwd=self.manifests)

    def bursar(self, *arguments: str) -> str:
        """Run one of Bursar's own commands; returns what it printed.

        Raises:
            DemoFailed: it failed.
        """
        done = self._run([sys.executable, "-m", "bursar", *arguments])
        if done.returncode:
            raise DemoFailed(f"bursar {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    # --- the operator ------------------------------------------------------------------------

    @property
    def operator_alive(self) -> bool:
        """Whether the operator's process lives."""
        return self.state.operator is not None and alive(self.state.operator.process)

    @property
    def url(self) -> str:
        """Where the operator's HTTP server is.

        Raises:
            DemoFailed: it was never started.
        """
        if self.state.operator is None:
            raise DemoFailed("no operator was started")
        return self.state.operator.url

    def start_operator(self) -> int:
        """Start the operator and wait until it is ready; returns its process's number."""
        self.state = sandbox.operator_start(self.state.dir)
        if self.state.operator is None:
            raise DemoFailed("the operator did not start")
        return self.state.operator.pid

    def kill_operator(self) -> int:
        """End the operator by SIGKILL; returns its process's number."""
        if self.state.operator is None:
            raise DemoFailed("no operator runs that could be killed")
        kill(self.state.operator.process)
        return self.state.operator.pid

    def read(self, path: str, query: Mapping[str, str] | None = None) -> JSON:
        """Ask the operator's read API."""
        return ask(self.url, path, query)

    def metrics(self) -> dict[str, list[Sample]] | None:
        """Scrape the operator: samples by name; None where nobody answers."""
        if not self.operator_alive:
            return None
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=_SCRAPE_SECONDS) as answer:  # noqa: S310 - http
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None
        return _samples(text)

    def close(self) -> None:
        """Close the connection to the API server."""
        self._api.close()


def documents(text: str) -> Iterator[JSON]:
    """The objects of a manifest."""
    yield from (document for document in yaml.safe_load_all(text) if document)


def _place(pod: JSON) -> str:
    return str(pod["metadata"]["namespace"])


def _samples(text: str) -> dict[str, list[Sample]]:
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found
