#!/usr/bin/env python
"""Measures Bursar on a sandbox, side by side in one run, and writes docs/performance.md.

    python hack/bench.py                  all of it, 1,000 pods
    python hack/bench.py --pods 200       smaller
    python hack/bench.py --no-write       only prints

Two control planes run at once: one with the chart, one without. What the admission policies cost is
asked of both in turn, request by request, so that whatever else the machine does falls on both.
Pods are posted with a server-side dry run there: all of admission, and no write to etcd.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import platform
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "operator")]

import yaml  # noqa: E402 - found through the path set above

from bursar import sandbox  # noqa: E402
from bursar.sandbox import fleet, processes  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
NAMESPACE = "bench"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEVICES = 8
WARM_UP = 50
HURRY = 8
"""Threads that create and delete pods."""
TICKS = os.sysconf("SC_CLK_TCK")
RUN = "sandbox.bursar.dev/run-seconds"

T = TypeVar("T")
Rows = list[tuple[str, str, str]]
"""(what, figure, the bar)"""


# --- the clusters ---------------------------------------------------------------------------------


class Client:
    """One kept connection to an API server, as its administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self._token = config["users"][0]["user"]["token"]
        self._address = urlsplit(cluster["server"]).netloc
        trust = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=trust)
        self._local = threading.local()

    def request(self, verb: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request; the connection is the thread's own."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPSConnection(
                self._address, context=self._tls, timeout=60
            )
        connection = self._local.connection
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request(verb, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def must(self, verb: str, path: str, body: object = None) -> Any:
        """The same, where anything but success ends the run."""
        status, answer = self.request(verb, path, body)
        if status >= http.client.BAD_REQUEST and status != http.client.CONFLICT:
            raise SystemExit(f"{verb} {path}: {status}: {answer}")
        return answer


@contextmanager
def cluster(folder: Path, *, chart: bool) -> Iterator[tuple[Path, Client]]:
    """A control plane with a namespace to measure in; ended whatever happens."""
    options = sandbox.UpOptions(dir=folder, nodes=1, chart=chart, operator=chart)
    state = sandbox.up(options, lambda line: print(f"  {line}", file=sys.stderr, flush=True))
    try:
        client = Client(state.kubeconfig)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        client.must("POST", "/api/v1/namespaces", body)
        account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
        until(lambda: client.request("GET", account)[0] == http.client.OK, "an account for pods")
        yield folder, client
    finally:
        sandbox.down(folder)


def pod(name: str, *, gpu: bool, seconds: int | None = None) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": "1"} if gpu else {"cpu": "10m"}
    annotations = {} if seconds is None else {RUN: str(seconds)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "annotations": annotations,
            "labels": {"app.kubernetes.io/name": "resnet-train"},
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": "registry.example/train:1",
                    "command": ["torchrun", "train.py", "--epochs", "3"],
                    "resources": {"limits": limits},
                }
            ],
        },
    }


def budget() -> dict[str, Any]:
    """One budget with a limit far away, so that every policy has a verdict to read."""
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "AIBudget",
        "metadata": {"name": "bench"},
        "spec": {
            "limits": {"cost": "1000000000"},
            "thresholds": [{"percent": 100, "actions": ["Warn", "Hold"]}],
        },
    }


def until(condition: Callable[[], T], what: str, seconds: float = 300) -> T:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not after {seconds:.0f} s")
        time.sleep(0.1)
    return found


# --- admission ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of many requests."""

    median: float
    p99: float


def latency(samples: Sequence[float]) -> Latency:
    ordered = sorted(samples)
    return Latency(median=statistics.median(ordered), p99=ordered[int(len(ordered) * 0.99)])


def admission(plain: Client, governed: Client, count: int) -> Rows:
    """POST of a GPU pod and of any other pod, without and with the policies, in turn."""
    until(
        lambda: (
            governed.request(
                "GET", f"/apis/bursar.dev/v1alpha1/namespaces/{NAMESPACE}/budgetverdicts/bursar"
            )[0]
            == http.client.OK
        ),
        "the budget's verdict",
    )
    times: dict[tuple[bool, bool], list[float]] = {}
    for turn in range(WARM_UP + count):
        for gpu in (True, False):
            for policies, client in ((False, plain), (True, governed)):
                body = pod(f"dry-{turn}", gpu=gpu)
                begun = time.perf_counter()
                client.must("POST", f"{PODS}?dryRun=All", body)
                taken = (time.perf_counter() - begun) * 1_000
                if turn >= WARM_UP:
                    times.setdefault((gpu, policies), []).append(taken)
    found = {key: latency(samples) for key, samples in times.items()}
    kinds = ((True, "a GPU pod", "under 6 ms"), (False, "any other pod", "under 2 ms"))
    return [
        (
            f"POST of {name}, with the policies against without",
            against(found[gpu, False], found[gpu, True]),
            f"{bar} more in the median",
        )
        for gpu, name, bar in kinds
    ]


def against(without: Latency, with_: Latency) -> str:
    ratio, more = with_.median / without.median, with_.median - without.median
    medians = f"median {without.median:.1f} → {with_.median:.1f} ms, **{more:+.1f} ms**"
    return f"×{ratio:.2f} ({medians}; p99 {without.p99:.1f} → {with_.p99:.1f} ms)"


# --- the operator's process -----------------------------------------------------------------------


@dataclass(slots=True)
class Operator:
    """The operator of a sandbox, as the kernel and its own metrics see it."""

    folder: Path

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._state.pid

    @property
    def _state(self) -> sandbox.OperatorState:
        found = sandbox.load_state(self.folder).operator
        if found is None:
            raise SystemExit("the operator does not run")
        return found

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def age(self) -> float:
        """Seconds since the process was started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text("utf-8").split()[0])
        return uptime - int(fields[19]) / TICKS

    def memory(self) -> float:
        """MiB of resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def get(self, path: str) -> bytes:
        """Ask its HTTP server."""
        with urlopen(self._state.url + path, timeout=60) as answer:
            body: bytes = answer.read()
            return body

    def metric(self, name: str, *labels: str) -> float:
        """The sum of a metric's samples that bear these labels."""
        lines = self.get("/metrics").decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name}{{", f"{name} ")) and all(each in line for each in labels)
        )

    def held(self) -> int:
        """Accelerators that pods hold, as the operator knows."""
        return round(self.metric("bursar_accelerators", 'state="allocated"'))

    def events(self) -> float:
        """Events of pods that were applied live."""
        return self.metric("bursar_event_lag_seconds_count")

    def restart(self) -> float:
        """Kill it and start another; seconds from the new process's start until it is ready."""
        processes.kill(self._state.process)
        sandbox.operator_start(self.folder)
        return self.age()


def footprint(client: Client, operator: Operator, pods: int) -> Rows:
    """CPU, memory, start and answers with so many GPU pods that run."""
    room(client, pods)
    empty = operator.memory()
    quiet = idle_cpu(operator)
    bound = spent(operator, lambda: bring_up(client, operator, pods))
    labels = operator.metric("bursar_actions_total", 'action="LabelPod"') / pods
    full = operator.memory()
    scrape = median_of(lambda: operator.get("/metrics"))
    size = len(operator.get("/metrics")) / 1024
    report = median_of(lambda: operator.get("/api/v1/report"))
    replay = operator.restart()
    until(lambda: operator.held() == pods, "all pods after a replay")
    lives = spent(operator, lambda: live_and_die(client, operator, pods))
    first = operator.restart()
    each = (full - empty) * 1024 / pods
    return [
        (
            f"operator memory with {pods:,} GPU pods",
            f"{full:.0f} MiB ({empty:.0f} MiB with none, {each:.1f} KiB a pod)",
            "150 MiB + 15 KiB a GPU pod",
        ),
        (
            "operator CPU for a pod that is created and bound",
            f"{bound.cpu * 1_000 / pods:.1f} ms a pod, {bound.each:.2f} ms an event",
            "1.5 ms an event",
        ),
        (
            "operator CPU for a pod's end and deletion",
            f"{lives.cpu * 1_000 / pods:.1f} ms a pod, {lives.each:.2f} ms an event",
            "1.5 ms an event",
        ),
        ("writes to a pod by the operator", f"{labels:.2f} a pod", "0 where pods are stamped"),
        ("operator CPU with nothing happening", f"{quiet * 1_000:.0f} ms a second", ""),
        (
            f"cold start with {pods:,} GPU pods, after kill -9",
            f"{replay:.1f} s to ready",
            "under 10 s with 10,000",
        ),
        ("cold start with none", f"{first:.1f} s to ready", ""),
        (
            f"scrape with {pods:,} pods",
            f"{scrape:.0f} ms, {size:.0f} KiB",
            "under 100 ms and 2 MiB with 10,000",
        ),
        (f"report over {pods:,} pods", f"{report:.0f} ms", "under 1 s with 300,000"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU seconds, and milliseconds of it for each event of a pod."""

    cpu: float
    each: float


def spent(operator: Operator, work: Callable[[], None]) -> Spent:
    """What some work costs the operator; a scrape or two are in it."""
    cpu, events = operator.cpu(), operator.events()
    work()
    cpu, events = operator.cpu() - cpu, operator.events() - events
    return Spent(cpu=cpu, each=cpu * 1_000 / events if events else 0.0)


def idle_cpu(operator: Operator, seconds: float = 15) -> float:
    cpu = operator.cpu()
    time.sleep(seconds)
    return (operator.cpu() - cpu) / seconds


def room(client: Client, pods: int) -> None:
    """Nodes for so many devices."""
    model = fleet.GPU_MODELS[0]
    for number in range(2, pods // DEVICES + 3):
        client.must("POST", "/api/v1/nodes", fleet.node(model, number))


def bring_up(client: Client, operator: Operator, pods: int) -> None:
    hurry(lambda n: client.must("POST", PODS, pod(f"gpu-{n}", gpu=True)), pods)
    until(lambda: none_is(client, "status.phase!=Running"), "all pods running")
    until(lambda: operator.held() == pods, "all pods in the operator's account")


def live_and_die(client: Client, operator: Operator, pods: int) -> None:
    hurry(lambda n: client.must("DELETE", f"{PODS}/gpu-{n}"), pods)
    until(lambda: none_is(client, "metadata.namespace=bench"), "all pods gone")
    until(lambda: operator.held() == 0, "no pod in the operator's account")


def none_is(client: Client, selector: str) -> bool:
    """Whether no pod is in a state; asked of the API server, so that the operator is left alone."""
    return not client.must("GET", f"{PODS}?limit=1&fieldSelector={selector}")["items"]


def hurry(one: Callable[[int], object], count: int) -> None:
    with ThreadPoolExecutor(HURRY) as pool:
        list(pool.map(one, range(count)))


def median_of(call: Callable[[], object], times: int = 9) -> float:
    """Milliseconds."""
    samples = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        samples.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(samples)


# --- the page -------------------------------------------------------------------------------------


def machine(version: str, load: float) -> str:
    info = Path("/proc/cpuinfo").read_text("utf-8")
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line),
        platform.machine(),
    )
    busy = " (shared with other work: trust the ratios more than the figures)" if load > 1 else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({model}), load {load:.1f} as it "
        f"began{busy}, Linux {platform.release().partition('-')[0]}, Python "
        f"{platform.python_version()}, Kubernetes {version} with kwok on the same cores."
    )


def table(rows: Rows) -> str:
    lines = ["| what | measured | bar |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {found} | {bar} |" for what, found, bar in rows)])


def write(text: str) -> None:
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", "utf-8")


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=1_000, help="GPU pods that run at once")
    parser.add_argument("--posts", type=int, default=400, help="requests of each kind")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance.md alone")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="bursar-bench-") as folder,
        cluster(Path(folder) / "governed", chart=True) as (governed_dir, governed),
    ):
        with cluster(Path(folder) / "plain", chart=False) as (_, plain):
            path = f"/apis/bursar.dev/v1alpha1/namespaces/{NAMESPACE}/aibudgets"
            governed.must("POST", path, budget())
            rows = admission(plain, governed, options.posts)
        rows += footprint(governed, Operator(governed_dir), options.pods)
        version = sandbox.load_state(governed_dir).version
    text = f"{machine(version, load)}\n\n{table(rows)}"
    print(text)
    if not options.no_write:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
