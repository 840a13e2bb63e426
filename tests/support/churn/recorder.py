"""Writes down every state of every pod, from etcd itself: nothing that happened can escape it.

The API server forgets what it told when it is restarted; etcd keeps all versions until they are
compacted. So this watch misses nothing, whatever dies, and shares nothing with the product: neither
its code nor the server that it listens to. It needs a sandbox whose etcd holds JSON.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bursar import sandbox

JSON = dict[str, Any]
PODS = "/registry/pods/"
TERMINAL = {"Succeeded", "Failed"}


@dataclass(slots=True)
class Life:
    """What is known of one pod.

    Attributes:
        last: the last state that was stored of it.
        gone: when it was removed from the store (ms, as heard here).
        ended: when a terminal phase was first stored, likewise.
        bound: when it was first stored with a node, likewise.
        versions: how many states there were.
    """

    last: JSON
    gone: int | None = None
    ended: int | None = None
    bound: int | None = None
    versions: int = 0


class Etcd:
    """The sandbox's etcd by its JSON gateway."""

    def __init__(self, folder: Path) -> None:
        state = sandbox.load_state(folder)
        words = next(each.argv for each in state.processes if each.name == "etcd")
        flag = "--advertise-client-urls="
        self._address = urlsplit(
            next(word.removeprefix(flag) for word in words if word.startswith(flag))
        ).netloc
        pki = folder / "pki"
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "client.crt", pki / "client.key")

    @contextmanager
    def post(
        self, path: str, body: JSON, timeout: float = 10
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self._address, context=self._tls, timeout=timeout)
        with closing(connection):
            connection.request("POST", path, json.dumps(body))
            with connection.getresponse() as answer:
                yield answer

    def ask(self, path: str, body: JSON) -> JSON:
        with self.post(path, body) as answer:
            found: JSON = json.loads(answer.read())
        assert "error" not in found, found
        return found

    def revision(self) -> int:
        """Of the whole store, now."""
        return int(self.ask("/v3/kv/range", {"key": encode("x")})["header"]["revision"])

    def versions(self, prefix: str) -> dict[str, int]:
        """The revision of each key that begins so."""
        answer = self.ask("/v3/kv/range", {**keys(prefix), "keys_only": True})
        return {decode(kv["key"]): int(kv["mod_revision"]) for kv in answer.get("kvs", [])}

    def compact(self, revision: int) -> None:
        """Forget all that was before a revision."""
        self.ask("/v3/kv/compaction", {"revision": str(revision), "physical": True})


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> str:
    return base64.b64decode(text).decode()


def keys(prefix: str) -> JSON:
    return {"key": encode(prefix), "range_end": encode(prefix[:-1] + chr(ord(prefix[-1]) + 1))}


@dataclass
class Recorder:
    """A thread that follows the pods of some namespaces in etcd.

    Attributes:
        lives: by uid.
        seen: revision of the last version of each key that was written down.
    """

    etcd: Etcd
    namespaces: frozenset[str]
    lives: dict[str, Life] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    failed: str = ""
    _position: int = 0
    _named: dict[str, str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._position = self.etcd.revision() + 1
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join(5)

    def forget(self) -> None:
        """Let etcd forget all that has been written down here."""
        self.etcd.compact(self._position)

    def check(self) -> None:
        """A recorder that has failed is no measure of anything."""
        assert not self.failed, f"the recorder: {self.failed}"

    def complete(self) -> bool:
        """Whether it has written down all that the store holds now."""
        self.check()
        stored = {k: v for k, v in self.etcd.versions(PODS).items() if self._ours(k)}
        return stored == self.seen

    def waiting(self) -> int:
        """Pods that are there and neither bound nor ended."""
        return sum(
            each.bound is None and each.ended is None and each.gone is None
            for each in list(self.lives.values())
        )

    def _ours(self, key: str) -> bool:
        return key.removeprefix(PODS).partition("/")[0] in self.namespaces

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                for event in self._events():
                    self._take(event)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                time.sleep(0.05)  # it is being restarted, perhaps in the middle of a line
            except Exception as error:
                self.failed = repr(error)
                return

    def _events(self) -> Iterator[JSON]:
        asked = {**keys(PODS), "start_revision": str(self._position), "prev_kv": True}
        with self.etcd.post("/v3/watch", {"create_request": asked}, timeout=2) as answer:
            while not self._over.is_set():
                line = answer.readline()
                if not line:
                    return
                told = json.loads(line)
                if "result" not in told:
                    raise OSError(told)  # it is on its way down
                result = told["result"]
                assert not int(result.get("compact_revision", 0)), "the past was compacted"
                yield from result.get("events", [])

    def _take(self, event: JSON) -> None:
        now = int(time.time() * 1000)
        key, revision = decode(event["kv"]["key"]), int(event["kv"]["mod_revision"])
        self._position = max(self._position, revision)  # a transaction has one for all its keys
        if not self._ours(key):
            return
        if event.get("type") == "DELETE":
            # What it was before, etcd does not say where the past was compacted in this moment.
            before = event.get("prev_kv")
            uid = json.loads(decode(before["value"]))["metadata"]["uid"] if before else None
            uid = uid or self._named[key]
            if self.lives[uid].gone is None:
                self.lives[uid].gone = now
            self.seen.pop(key, None)
            return
        pod = json.loads(decode(event["kv"]["value"]))
        life = self.lives.setdefault(pod["metadata"]["uid"], Life(last=pod))
        if self.seen.get(key, 0) >= revision:
            return
        self.seen[key] = revision
        self._named[key] = pod["metadata"]["uid"]
        life.last = pod
        life.versions += 1
        if life.bound is None and pod["spec"].get("nodeName"):
            life.bound = now
        if life.ended is None and pod.get("status", {}).get("phase") in TERMINAL:
            life.ended = now
