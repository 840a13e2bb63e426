"""The operator as a Deployment of a kind cluster: started, stopped, killed, asked and listened to.

It is reached through the API server's service proxy (one `kubectl proxy` for the whole session,
which outlives every restart), and its log is followed container by container, so that what one
wrote which was killed is there, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bursar.sandbox import install, kubectl

NAMESPACE = install.NAMESPACE
DEPLOYMENT = f"deployment/{install.RELEASE}"
SELECTOR = f"app.kubernetes.io/name=bursar,app.kubernetes.io/instance={install.RELEASE}"
PROXY = f"/api/v1/namespaces/{NAMESPACE}/services/http:{install.RELEASE}:http/proxy"
READY_SECONDS = 180.0

Object = dict[str, Any]


def wanted() -> bool:
    """Whether the tests are to be run against a Deployment."""
    return os.environ.get("BURSAR_E2E_OPERATOR") == "deployment"


def on_node(node: str, *argv: str) -> str:
    """Run a command on a kind node: as root, outside of all pods.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    return subprocess.run(
        ["docker", "exec", node, *argv], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def process_of(node: str, container_id: str) -> int:
    """The number, on its node, of a container's first process."""
    plain = container_id.rpartition("/")[2]
    for line in on_node(node, "ctr", "--namespace", "k8s.io", "tasks", "ls").splitlines():
        fields = line.split()
        if fields and fields[0] == plain:
            return int(fields[1])
    raise LookupError(f"no container {plain} runs on {node}")


@dataclass(frozen=True, slots=True)
class _Forward:
    """A port of this machine that leads to one pod, until either ends."""

    process: subprocess.Popen[str]
    url: str
    pod: str

    def leads_to(self, pod: str) -> bool:
        return self.pod == pod and self.process.poll() is None


@dataclass(slots=True)
class Deployed:
    """The operator's Deployment in the namespace of the chart."""

    kubectl_path: Path
    kubeconfig: Path
    log_path: Path
    url: str = ""
    _proxy: subprocess.Popen[str] | None = None
    _forward: _Forward | None = None
    _listener: _Listener | None = None

    def open(self) -> None:
        """Open the way to it and begin to listen."""
        command = [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig)]
        self._proxy = subprocess.Popen(
            [*command, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True
        )
        assert self._proxy.stdout is not None
        said = self._proxy.stdout.readline()  # Starting to serve on 127.0.0.1:40123
        self.url = f"http://{said.split()[-1]}{PROXY}"
        self._listener = _Listener(command, self.log_path)
        self._listener.start()

    def close(self) -> None:
        """Close both; the operator is left as it is."""
        if self._listener is not None:
            self._listener.stop()
        for each in (self._proxy, self._forward.process if self._forward else None):
            if each is not None:
                _end(each)

    @property
    def direct(self) -> str:
        """Its own port, past the API server's proxy, which takes tokens away; while it runs."""
        if self._forward is not None:
            if self._forward.leads_to(self.pod()["metadata"]["uid"]):
                return self._forward.url
            _end(self._forward.process)
        pod = self.pod()["metadata"]
        command = [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), "-n", NAMESPACE]
        process = subprocess.Popen(
            [*command, "port-forward", f"pod/{pod['name']}", ":http"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 8080
        self._forward = _Forward(process, f"http://{said.split()[2]}", pod["uid"])
        return self._forward.url

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the operator's namespace."""
        return kubectl.run(self.kubectl_path, self.kubeconfig, "-n", NAMESPACE, *arguments).stdout

    def pods(self) -> list[Object]:
        """The operator's pods, those that end included."""
        found = json.loads(self.kubectl("get", "pods", "-l", SELECTOR, "-o", "json"))
        return list(found["items"])

    def pod(self) -> Object:
        """The one that runs."""
        (found,) = self.pods()
        return found

    def start(self) -> None:
        """Scale to one and wait until it is rolled out and answers."""
        self.kubectl("scale", DEPLOYMENT, "--replicas=1")
        seconds = f"--timeout={READY_SECONDS:.0f}s"
        self.kubectl("rollout", "status", DEPLOYMENT, seconds)
        self._until(self.ready, "the operator is ready")

    def stop(self) -> None:
        """Scale to none, as a cluster ends pods, and wait until none is left."""
        self.kubectl("scale", DEPLOYMENT, "--replicas=0")
        self._until(lambda: not self.pods(), "the operator is gone")

    def kill(self) -> None:
        """Kill its process with -9, so that nothing comes in its place.

        Its node's kubelet would start it again at once, and scaling to none first would end it
        gently: so it is frozen, unscheduled, and killed as it lies there.
        """
        frozen = []
        for pod in self.pods():
            for status in pod["status"].get("containerStatuses", []):
                if "running" in status["state"]:
                    node = pod["spec"]["nodeName"]
                    number = process_of(node, status["containerID"])
                    on_node(node, "kill", "-STOP", str(number))
                    frozen.append((node, number))
        self.kubectl("scale", DEPLOYMENT, "--replicas=0")
        self._until(
            lambda: all(pod["metadata"].get("deletionTimestamp") for pod in self.pods()),
            "the operator's pod is given up",
        )
        for node, number in frozen:
            on_node(node, "kill", "-KILL", str(number))
        self._until(lambda: not self.pods(), "the operator is gone")

    def ready(self) -> bool:
        """Whether it says that it is."""
        return self.status("/readyz") == 200

    def status(self, path: str) -> int:
        """The status code of one of its pages; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    @staticmethod
    def _until(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not so after {READY_SECONDS:.0f} s"
            time.sleep(0.2)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(10)
    if process.stdout is not None:
        process.stdout.close()


@dataclass(slots=True)
class _Listener:
    """Follows the log of each container of the operator from its start on."""

    command: list[str]
    log_path: Path
    _known: set[str] = field(default_factory=set)
    _followers: list[subprocess.Popen[str]] = field(default_factory=list)
    _watch: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def start(self) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        watch = ["get", "pods", "-n", NAMESPACE, "-l", SELECTOR, "-o", "json"]
        self._watch = subprocess.Popen(
            [*self.command, *watch, "--watch", "--output-watch-events"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        assert self._watch is not None
        assert self._reader is not None
        self._watch.terminate()
        self._reader.join(10)
        _end(self._watch)
        for each in self._followers:
            _end(each)

    def _read(self) -> None:
        assert self._watch is not None
        assert self._watch.stdout is not None
        for line in self._watch.stdout:
            pod = json.loads(line)["object"]
            for status in pod.get("status", {}).get("containerStatuses", []):
                if "running" in status["state"] and status["containerID"] not in self._known:
                    self._known.add(status["containerID"])
                    self._follow(pod["metadata"]["name"])

    def _follow(self, pod: str) -> None:
        with self.log_path.open("a") as log:
            self._followers.append(
                subprocess.Popen(
                    [*self.command, "logs", "-n", NAMESPACE, pod, "--follow"],
                    stdout=log,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
