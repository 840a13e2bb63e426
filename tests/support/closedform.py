"""What pods must cost, computed by hand: from their own status, in fractions, without the product.

Nothing here imports the product: price × share × time, rounded down to 10⁻⁹ once a life.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Self

HOUR_MS = 3_600_000
NANO = 10**9

CATALOG = Path(__file__).resolve().parents[2] / "operator/bursar/price/data/catalog.json"

Object = dict[str, Any]


@cache
def _prices() -> dict[tuple[str, str], list[str]]:
    rows = json.loads(CATALOG.read_text("utf-8"))["prices"]
    return {(row[0], row[1]): row[2:4] for row in rows}


def listed(instance: str, region: str, *, spot: bool = False) -> Fraction:
    """An instance's list price an hour, as the bundled catalog has it."""
    return Fraction(_prices()[instance, region][spot])


def milliseconds(text: str) -> int:
    """An API time, which has whole seconds."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def moment(milliseconds_: int) -> str:
    """A time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds_ // 1000))


def bound(pod: Mapping[str, Any]) -> int | None:
    """When a pod was bound to its node."""
    for each in pod.get("status", {}).get("conditions", []):
        if each["type"] == "PodScheduled" and each["status"] == "True":
            return milliseconds(each["lastTransitionTime"])
    return None


def finished(pod: Mapping[str, Any]) -> int | None:
    """When the last of a pod's containers ended; None while one runs."""
    states = [each["state"] for each in pod.get("status", {}).get("containerStatuses", [])]
    if not states or not all("terminated" in each for each in states):
        return None
    return max(milliseconds(each["terminated"]["finishedAt"]) for each in states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a node costs an hour, in units of the currency, CapEx and OpEx apart."""

    opex: Fraction
    capex: Fraction = Fraction(0)

    def nano(self, share: Fraction, start: int, end: int) -> int:
        """Nano-units of a share of the node from one moment (ms) to another."""
        return sum(
            (part * NANO * share * (end - start) / HOUR_MS).__floor__()
            for part in (self.capex, self.opex)
        )

    def window(self, since: int, start: int, end: int) -> int:
        """Nano-units of the whole node in a window of a life that began at `since`."""
        return self.nano(Fraction(1), since, end) - self.nano(Fraction(1), since, start)


def money(nano: int) -> str:
    """Nano-units as the report writes them."""
    return f"{nano // NANO}.{nano % NANO:09d}"


def nanos(text: str) -> int:
    """The reverse of `money`."""
    return int(Fraction(text) * NANO)


def hours(device_ms: Fraction) -> str:
    """Device-milliseconds as hours with nine decimals, cut."""
    return money((device_ms * NANO / HOUR_MS).__floor__())


@dataclass(slots=True)
class Seen:
    """What a watch has seen of one pod.

    Attributes:
        first: as it was first seen.
        last: as it was last seen, its DELETED event included.
        gone: when that event came (ms, of this machine's clock).
    """

    first: Object
    last: Object
    gone: int | None = None


@dataclass(slots=True)
class PodWatch:
    """Watches a namespace's pods through kubectl, and keeps the last state of those that vanish."""

    kubectl: Path
    kubeconfig: Path
    namespace: str
    pods: dict[str, Seen] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), "get", "pods"]
        command += ["-n", self.namespace, "--watch", "--output-watch-events", "-o", "json"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        obj = event["object"]
        seen = self.pods.setdefault(obj["metadata"]["name"], Seen(first=obj, last=obj))
        seen.last = obj
        if event["type"] == "DELETED":
            seen.gone = int(time.time() * 1000)
