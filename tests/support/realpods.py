"""Pods that run for real: pause containers on kind nodes whose GPUs are patched into the status."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from support.closedform import PodWatch, Price, bound, finished, hours, listed, money
from support.cluster import Sandbox
from support.policies import Object, Place, job, pod
from support.release import pause_image

TYPE = "node.kubernetes.io/instance-type"
DEVICES = {"p5en.48xlarge": 8, "g6e.12xlarge": 4}
"""The GPU nodes of kind-config.yaml: instance type and devices."""


def real_pod(sandbox: Sandbox, instance: str, gpus: int, **spec: Any) -> Object:
    """A pod of one container that waits until it is told to end."""
    container = {
        "name": "main",
        "image": pause_image(sandbox),
        "resources": {"limits": {"nvidia.com/gpu": gpus}},
    }
    chosen = {"nodeSelector": {TYPE: instance}, "restartPolicy": "Never", **spec}
    return pod(container, **chosen)


def real_job(sandbox: Sandbox, instance: str, gpus: int) -> Object:
    """A Job of such a pod."""
    return job(real_pod(sandbox, instance, gpus, terminationGracePeriodSeconds=1))


class RealPods:
    """The pods of a test on the real nodes, and what they must cost by hand."""

    def __init__(self, sandbox: Sandbox, namespace: str, watch: PodWatch) -> None:
        self.sandbox = sandbox
        self.place = Place(sandbox=sandbox, namespace=namespace)
        self.watch = watch
        self.asked: dict[str, tuple[str, int]] = {}

    def create(self, instance: str, gpus: int, **spec: Any) -> str:
        """Create one; returns its name."""
        answer = self.place.attempt(real_pod(self.sandbox, instance, gpus, **spec), keep=True)
        name = str(answer.object["metadata"]["name"])
        self.asked[name] = (instance, gpus)
        return name

    def running(self, name: str) -> None:
        """Wait until its container runs."""
        self.sandbox.wait(
            lambda: (
                name in self.watch.pods
                and self.watch.pods[name].last["status"]["phase"] == "Running"
            ),
            what=f"{name} running",
        )

    def end(self, *names: str) -> None:
        """Delete pods, and wait until the ends of their containers are told."""
        self.place.kubectl("delete", "pod", "--wait=false", *names)
        for name in names:
            self.finished(name)

    def finished(self, name: str) -> None:
        """Wait until its container has ended."""
        self.sandbox.wait(
            lambda: name in self.watch.pods and finished(self.watch.pods[name].last),
            what=f"the end of {name}",
            timeout=90,
        )

    def by_hand(self) -> dict[str, tuple[str, str]]:
        """Cost and GPU-hours of each, from its container's own times."""
        told = {}
        for name, (instance, gpus) in self.asked.items():
            last = self.watch.pods[name].last
            start, end = bound(last), finished(last)
            assert start is not None, last
            assert end is not None, last
            price = Price(opex=listed(instance, "us-east-1"))
            cost = price.nano(Fraction(gpus, DEVICES[instance]), start, end)
            told[name] = (money(cost), hours(Fraction(gpus * (end - start))))
        return told
