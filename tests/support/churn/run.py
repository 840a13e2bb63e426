"""A churn run: pods live and die while everything around them is killed, and then it is counted."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from bursar import sandbox
from bursar.sandbox import processes
from support.churn import fleet
from support.churn.client import Client
from support.churn.compare import Figures, Judge, open_nodes, read
from support.churn.lives import Action, Kitchen, Later
from support.churn.proxy import Proxy
from support.churn.recorder import Etcd, Recorder
from support.churn.truth import Timeline, Truth, timeline, truth
from support.closedform import Price, milliseconds

JSON = dict[str, Any]
Say = Callable[[str], None]
SECOND = 1000
SLACK = 2 * SECOND
AFTER = 12 * SECOND
"""A watch that broke is tried again with pauses of up to five seconds."""
BOOKS = "/apis/bursar.dev/v1alpha1/pricebooks"
REPRICED = ("h100", "t4-spot", "l4-shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to happen.

    Attributes:
        run: a name for it, part of its nodes' and namespaces'.
        seed: of all chance.
        lives: how many; some are of several pods.
        rate: lives a second.
        copies: nodes of each model.
        models: kinds of node.
        crowd: pods at a time that wait for a node, before no more are made.
        faults: kinds, each with how often it is chosen.
        order: kinds one after another, instead of by chance.
        pause: seconds between two faults, at least and at most.
        away: seconds for which the operator is away at most, where it is killed.
        lead: seconds between a price's edit and its beginning.
        scale: how much longer pods live than some seconds.
        both: how often the operator is killed together with the API server or etcd.
    """

    run: str
    seed: int
    lives: int
    rate: float = 20.0
    copies: int = 4
    models: tuple[str, ...] = tuple(fleet.DEVICES)
    crowd: int = 60
    faults: tuple[tuple[str, int], ...] = (
        ("kill", 8),
        ("apiserver", 2),
        ("etcd", 2),
        ("cut", 3),
        ("dark", 2),
        ("429", 2),
        ("slow", 1),
        ("stall", 2),
        ("price", 3),
    )
    order: tuple[str, ...] = ()
    pause: tuple[float, float] = (1.0, 4.0)
    away: float = 8.0
    lead: int = 40
    scale: float = 1.0
    both: float = 0.15


@dataclass
class Churn:
    """A sandbox, whose etcd holds JSON, in the middle of a churn run.

    Attributes:
        changes: what prices were changed to, by kind of node.
        faults: what was done, by kind.
        away: times in which nobody listened (ms).
        forgot: times of which the API server forgot what happened.
        asked: how often pods were told to go at the end.
    """

    folder: Path
    plan: Plan
    say: Say
    client: Client
    proxy: Proxy
    recorder: Recorder
    chance: random.Random
    changes: dict[str, list[fleet.Since]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    away: list[tuple[int, int]] = field(default_factory=list)
    forgot: list[tuple[int, int]] = field(default_factory=list)
    began: int = 0
    stage: str = ""
    asked: int = 0
    halted: threading.Event = field(default_factory=threading.Event)

    # --- before and after ---

    def prepare(self) -> None:
        """Nodes, prices and namespaces of the run; the operator goes by the proxy."""
        self.operator(start=True)
        book = fleet.book(self.plan.run, {})
        self.client.must("POST", BOOKS, book)
        path = f"{BOOKS}/{book['metadata']['name']}"
        self.until(lambda: self.client.ask("GET", path)[1].get("status"), "the prices taken up")
        for name in self.namespaces:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.client.must("POST", "/api/v1/namespaces", body)
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            self.until(lambda path=account: self.client.ask("GET", path)[0] == 200, "an account")
        for node in fleet.nodes(self.plan.run, self.plan.copies, self.plan.models):
            self.client.must("POST", "/api/v1/nodes", node)
        self.until(self._nodes_ready, "the nodes ready")
        self.began = now()

    @property
    def ledger(self) -> Path:
        """The operator's file."""
        return self.folder / "ledger.db"

    @property
    def namespaces(self) -> tuple[str, ...]:
        return tuple(f"churn-{self.plan.run}-{each}" for each in ("a", "b", "c"))

    def nodes(self) -> list[JSON]:
        """The run's nodes as the API server holds them."""
        query = f"/api/v1/nodes?labelSelector={fleet.LABEL}%3D{self.plan.run}"
        items: list[JSON] = self.client.must("GET", query)["items"]
        return items

    def _nodes_ready(self) -> bool:
        made = self.nodes()
        whole = len(made) == self.plan.copies * len(self.plan.models)
        return whole and not any(node["spec"].get("taints") for node in made)

    def clear(self) -> None:
        """Leave nothing to those who use the sandbox next."""
        for name in self.namespaces:
            self.client.ask("DELETE", f"/api/v1/namespaces/{name}")
        for node in self.nodes():
            self.client.ask("DELETE", f"/api/v1/nodes/{node['metadata']['name']}")
        self.client.ask("DELETE", f"{BOOKS}/churn-{self.plan.run}")
        # An operator that is started later would count them until it misses them.
        mine = f"churn-{self.plan.run}-"
        self.until(
            lambda: not any(each.startswith(mine) for each in open_nodes(self.ledger)),
            "the ledger knows that the nodes have gone",
            30,
        )

    def until(self, condition: Callable[[], object], what: str, seconds: float = 120) -> None:
        """Wait for something."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not after {seconds:.0f} s"
            time.sleep(0.2)

    def operator(self, *, start: bool) -> None:
        """Kill it with -9, or start it and wait until it is ready."""
        if start:
            sandbox.operator_start(self.folder, self.proxy.url)
            return
        running = sandbox.load_state(self.folder).operator
        if running is not None:
            processes.kill(running.process)

    # --- what happens ---

    def live(self) -> Counter[str]:
        """All lives, at the plan's rate, as far as there is room; returns how many of each kind."""
        kitchen = Kitchen(
            self.plan.run,
            self.namespaces,
            self.plan.models,
            random.Random(self.plan.seed),
            self.plan.scale,
        )
        count = itertools.count()
        due: list[tuple[float, int, Action, Later]] = []
        made, next_life = 0, time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            while (made < self.plan.lives or due) and not self.halted.is_set():
                assert not self.stage, self.stage
                self.recorder.check()
                at = time.monotonic()
                while due and due[0][0] <= at:
                    _, _, action, later = heapq.heappop(due)
                    pool.submit(self._act, action)
                    self._follow(later, due, count)
                if made < self.plan.lives and at >= next_life:
                    next_life = max(next_life + 1 / self.plan.rate, at - 1)
                    if self.recorder.waiting() < self.plan.crowd:
                        made += 1
                        self._follow(kitchen.next(), due, count)
                time.sleep(0.01)
        return Counter(kitchen.kinds)

    @staticmethod
    def _follow(
        later: Later, due: list[tuple[float, int, Action, Later]], count: Iterator[int]
    ) -> None:
        step = next(later, None)
        if step is not None:
            wait, action = step
            heapq.heappush(due, (time.monotonic() + wait, next(count), action, later))

    def _act(self, action: Action) -> None:
        try:
            action(self.client)
        except Exception as error:
            self.stage = repr(error)

    def finish(self) -> None:
        """Delete what still runs, and wait until all is over and written down."""
        self.tend()
        self.operator(start=True)
        try:
            self.until(self._all_over, "the end of all pods")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.left()}") from error

    def left(self) -> list[tuple[object, ...]]:
        """What is still there, as the recorder has it."""
        return [
            (
                each.last["metadata"]["name"],
                each.last.get("status", {}).get("phase"),
                each.last["metadata"].get("deletionTimestamp"),
                each.last["metadata"].get("deletionGracePeriodSeconds"),
                each.last["metadata"].get("finalizers"),
                each.last["spec"].get("nodeName"),
            )
            for each in self.recorder.lives.values()
            if each.gone is None
        ][:9]

    def _all_over(self) -> bool:
        self.recorder.check()
        if all(each.gone is not None for each in list(self.recorder.lives.values())):
            return self.recorder.complete()
        # Again and again: a Job may have made one more, a name was waited for, and a kwok that
        # could not remove a pod while etcd was away does not try again, as a kubelet does.
        self.asked += 1
        now_ = {"gracePeriodSeconds": 0} if self.asked > PATIENT else None
        for name in self.namespaces:
            self.client.ask("DELETE", f"/apis/batch/v1/namespaces/{name}/jobs", BACKGROUND)
            self.client.ask("DELETE", f"/api/v1/namespaces/{name}/pods", now_)
        time.sleep(1)
        return False

    # --- the faults ---

    def torment(self, over: threading.Event) -> None:
        """One fault after another, until it is over; leaves everything running."""
        kind = "nothing yet"
        try:
            for kind in self.coming():
                if over.wait(self.chance.uniform(*self.plan.pause)) and not self.plan.order:
                    return
                self.tend()
                self.faults[kind] += 1
                self.say(f"{kind} ({len(self.recorder.lives)} pods)")
                self.fault(kind)
        except Exception as error:
            self.stage = f"{kind}: {error!r}"

    def coming(self) -> Iterator[str]:
        """Which fault is next: each as often as the plan says, like cards that are shuffled."""
        yield from self.plan.order
        while not self.plan.order:
            cards = [kind for kind, often in self.plan.faults for _ in range(often)]
            self.chance.shuffle(cards)
            yield from cards

    def tend(self) -> None:
        """Start what ended by itself, as a kubelet does: a scheduler that doubts its cache ends."""
        for program in sandbox.load_state(self.folder).processes:
            if not processes.alive(program):
                self.faults[f"{program.name} ended"] += 1
                sandbox.revive(self.folder, program.name)

    def fault(self, kind: str) -> None:
        """Do one thing to it."""
        begun = now() - SLACK
        if kind == "price":
            self.price()
        elif kind == "kill":
            self.operator(start=False)
            time.sleep(self.chance.choice([0.0, self.chance.uniform(0, self.plan.away)]))
            self.operator(start=True)
            self.away.append((begun, now() + SLACK))
        elif kind in ("apiserver", "etcd"):
            self._restart("kube-apiserver" if kind == "apiserver" else kind, begun)
        elif kind == "cut":
            self.proxy.cut()
            self.away.append((begun, now() + AFTER))
        else:
            seconds = self.chance.uniform(0.5, 5)
            {"dark": self.proxy.dark, "429": self.proxy.busy}.get(
                kind, self.proxy.slow if kind == "slow" else self.proxy.stall
            )(seconds)
            time.sleep(seconds)
            self.away.append((begun, now() + AFTER))

    def _restart(self, program: str, begun: int) -> None:
        """Kill it, and sometimes the operator with it."""
        both = self.chance.random() < self.plan.both
        sandbox.crash(self.folder, program)
        if both:
            self.faults["kill"] += 1
            self.operator(start=False)
        time.sleep(self.chance.uniform(0, 2))
        sandbox.revive(self.folder, program)
        self.until(self.client.ready, f"{program} again")
        if both:
            self.operator(start=True)
        span = (begun, now() + AFTER)
        self.away.append(span)
        if program == "kube-apiserver":
            self.forgot.append(span)

    def price(self) -> None:
        """A new price of a kind of node, from a moment on that is still to come."""
        model = self.chance.choice([each for each in REPRICED if each in self.plan.models])
        at = (now() // SECOND + self.plan.lead) * SECOND
        price = Price(opex=Fraction(self.chance.randint(1, 900_000), 10_000))
        self.changes.setdefault(model, []).append(fleet.Since(at, price))
        book = fleet.book(self.plan.run, self.changes)
        self.client.merge(f"{BOOKS}/churn-{self.plan.run}", {"spec": book["spec"]})

    def leave(self, seconds: float) -> None:
        """Kill the operator, and let the API server and etcd forget what happens meanwhile."""
        begun = now() - SLACK
        self.faults["kill"] += 1
        self.operator(start=False)
        time.sleep(seconds)
        sandbox.crash(self.folder, "kube-apiserver")
        self.recorder.forget()
        sandbox.revive(self.folder, "kube-apiserver")
        self.until(self.client.ready, "the API server again")
        self.faults["apiserver"] += 1
        self.operator(start=True)
        self.forgot.append((begun, now() + AFTER))

    # --- the count ---

    def prices(self) -> dict[str, Timeline]:
        """Of each kind of node."""
        return {each: timeline(each, self.changes.get(each, [])) for each in self.plan.models}

    def truths(self) -> dict[str, Truth]:
        """All pods that ever were bound."""
        found = ((uid, truth(uid, life)) for uid, life in self.recorder.lives.items())
        return {uid: pod for uid, pod in found if pod is not None}

    def count(self, seconds: float = 60) -> Figures:
        """Compare, as soon as the ledger has written all that it has to."""
        lives = self.truths()
        judge = Judge(
            run=self.plan.run,
            prices=self.prices(),
            away=tuple(self.away),
            forgot=tuple(self.forgot),
        )
        deadline = time.monotonic() + seconds
        while True:
            found = judge.compare(lives, read(self.ledger))
            if not found.pending or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def born(self) -> dict[str, int]:
        """When each of the run's nodes was made (ms)."""
        return {
            node["metadata"]["name"]: milliseconds(node["metadata"]["creationTimestamp"])
            for node in self.nodes()
        }


BACKGROUND = {"propagationPolicy": "Background"}
PATIENT = 15


def now() -> int:
    return int(time.time() * 1000)


@contextmanager
def churn(folder: Path, plan: Plan, say: Say) -> Iterator[Churn]:
    """A run on a sandbox that is up, ready to begin; what it made is deleted afterwards."""
    state = sandbox.load_state(folder)
    client = Client(state.kubeconfig)
    with ExitStack() as stack:
        stack.callback(client.close)
        proxy = stack.enter_context(Proxy(state.server, client.tls).running())
        made = Churn(
            folder=folder,
            plan=plan,
            say=say,
            client=client,
            proxy=proxy,
            recorder=Recorder(Etcd(folder), frozenset()),
            chance=random.Random(plan.seed + 1),
        )
        made.recorder.namespaces = frozenset(made.namespaces)
        stack.enter_context(made.recorder)
        sandbox.operator_stop(folder)
        made.prepare()
        try:
            yield made
        finally:
            made.clear()
            sandbox.operator_stop(folder)


@contextmanager
def tormented(made: Churn) -> Iterator[None]:
    """Faults go on meanwhile."""
    over = threading.Event()
    thread = threading.Thread(target=made.torment, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(300)
