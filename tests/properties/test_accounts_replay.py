"""However pods live, prices change and operators die, every account equals the closed form.

A day of random events is told to one operator after another over the same ledger. Each may be
killed between any two commits, is told again what it has seen already, and may find that the API
server no longer knows what happened. At the end the ledger, the budgets' purses, a recount of
these, and the counters are compared with sums worked out from the events alone, in nano-units.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from bursar.domain.budget import BudgetKey
from bursar.domain.time import DAY, HOUR, MINUTE, SECOND, Ms, format_time
from bursar.domain.usage import Basis
from bursar.runtime.ledger import Ledger
from support.runtime import CLUSTER, T0, Operator, book, budget, flat, node, pod

NANO = 10**9
GPUS = (1, 2, 3, 4, 7, 8)
NODES = ("gpu-1", "gpu-2")
TEAMS = ("a", "b")
ALL = BudgetKey(namespace="vision", name="all")
TEAM_A = BudgetKey(namespace="vision", name="team-a")
LATE = BudgetKey(namespace="vision", name="late")


# --- what happens ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bind:
    """A pod is made and bound, with or without a moment in which it waits."""

    gpus: int
    on: str
    team: str
    waits: bool


@dataclass(frozen=True)
class End:
    """One of the pods that run ends: its containers do, or it is gone from one moment to the next.

    Attributes:
        how: `finish`, `finish and delete`, `delete when finished`, or `vanish`.
    """

    which: int
    how: str


@dataclass(frozen=True)
class Wait:
    milliseconds: Ms


@dataclass(frozen=True)
class Relabel:
    which: int


@dataclass(frozen=True)
class Price:
    """The price is edited; `ahead` (ms) makes it a dated one."""

    cents: int
    ahead: Ms


@dataclass(frozen=True)
class Checkpoint:
    pass


@dataclass(frozen=True)
class NewBudget:
    pass


@dataclass(frozen=True)
class Gap:
    """The watch breaks in mid-run, and the API server no longer knows the past."""


@dataclass(frozen=True)
class Kill:
    """kill -9, with so many of the waiting batches committed."""

    committed: int


@dataclass(frozen=True)
class Start:
    """A new operator, told again so many events that the checkpoint is past.

    Attributes:
        gap: the API server no longer knows the past, and only lists.
    """

    again: int
    gap: bool


binds = st.builds(
    Bind,
    gpus=st.sampled_from(GPUS),
    on=st.sampled_from(NODES),
    team=st.sampled_from(TEAMS),
    waits=st.booleans(),
)
ends = st.builds(
    End,
    which=st.integers(0, 20),
    how=st.sampled_from(["finish", "finish and delete", "delete when finished", "vanish"]),
)
starts = st.builds(Start, again=st.integers(0, 6), gap=st.sampled_from([False, False, True]))
steps = st.one_of(
    binds,
    binds,
    binds,
    ends,
    ends,
    ends,
    st.builds(Wait, st.integers(1, 3 * HOUR)),
    st.builds(Kill, st.integers(0, 6)),
    starts,
    starts,
    st.builds(Price, cents=st.integers(0, 100_000), ahead=st.just(0) | st.integers(1, 6 * HOUR)),
    st.builds(Relabel, st.integers(0, 20)),
    st.just(Checkpoint()),
    st.just(NewBudget()),
    st.just(Gap()),
)
"""What most happens to a cluster stands there several times."""


# --- what must come of it -------------------------------------------------------------------------


@dataclass
class Life:
    """A pod as it really was.

    Attributes:
        end: when it let go; None while it runs.
        told: whether the API tells that moment.
    """

    uid: str
    gpus: int
    team: str
    start: Ms
    end: Ms | None = None
    told: bool = True


@dataclass(frozen=True, order=True)
class Rate:
    """A price of a whole node (nano-units an hour) from `since` on, and the rule that says so."""

    since: Ms
    rule: str
    nano: int


@dataclass
class Truth:
    """The closed form, from what happened."""

    prices: list[Rate]
    lives: dict[str, Life] = field(default_factory=dict)

    def cost(self, life: Life, frm: Ms, to: Ms) -> int:
        """What a pod cost in [frm, to): each constant stretch of it, rounded down as a whole."""
        edges = [(life.start, self.price_at(life.start).nano)]
        edges += [(each.since, each.nano) for each in self.prices if each.since > life.start]
        total = 0
        for index, (since, price) in enumerate(edges):
            until = edges[index + 1][0] if index + 1 < len(edges) else 1 << 62
            a, b = max(frm, since), min(to, until)
            if b > a:
                total += self.spent(price, life, b - since) - self.spent(price, life, a - since)
        return total

    def price_at(self, moment: Ms) -> Rate:
        return [each for each in self.prices if each.since <= moment][-1]

    def reprice(self, booked: list[Rate], now: Ms) -> None:
        """A book edited by `now` changes nothing of what has been in force until then."""
        self.prices = [each for each in self.prices if each.since < now]
        current = max(each for each in booked if each.since <= now)
        if not self.prices or self.prices[-1].rule != current.rule:
            self.prices.append(Rate(max(now, current.since), current.rule, current.nano))
        self.prices += sorted(each for each in booked if each.since > now)

    @staticmethod
    def spent(price: int, life: Life, elapsed: Ms) -> int:
        return price * life.gpus * elapsed // (8 * HOUR)


@dataclass
class Day:
    """The API server's side of it, and whoever operates at the moment."""

    path: Path
    now: Ms = T0 + 31 * HOUR // 2  # half an hour before midnight, UTC
    log: list[tuple[dict[str, Any], bool]] = field(default_factory=list)
    present: dict[str, dict[str, Any]] = field(default_factory=dict)
    booked: list[Rate] = field(default_factory=lambda: [Rate(T0, "r0", 48 * NANO)])
    budgets: list[dict[str, Any]] = field(default_factory=list)
    operator: Operator | None = None
    listed: int = 0  # no watch goes on from before a list
    forgotten: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.truth = Truth(list(self.booked))
        self.budgets = [
            budget("all"),
            budget("team-a", selector={"matchLabels": {"team": "a"}}),
        ]
        self.start(Start(again=0, gap=False))

    # --- the steps ---

    def do(self, step: object) -> None:
        getattr(self, type(step).__name__.lower())(step)
        self.now += 1

    def wait(self, step: Wait) -> None:
        self.now += step.milliseconds

    def checkpoint(self, _: Checkpoint) -> None:
        if self.operator:
            self.operator.checkpoint(self.now)

    def gap(self, _: Gap) -> None:
        if self.operator:
            self.relist(self.operator)

    def kill(self, step: Kill) -> None:
        if self.operator:
            self.operator.ledger.crash(step.committed)
            self.operator = None

    def bind(self, step: Bind) -> None:
        name = f"p{len(self.truth.lives)}"
        labels = {"team": step.team}
        if step.waits:
            self.tell(pod(name, gpus=step.gpus, labels=labels))
        second = self.second()
        self.truth.lives[name] = Life(name, step.gpus, step.team, second)
        self.tell(pod(name, gpus=step.gpus, labels=labels, on=step.on, bound=second))

    def end(self, step: End) -> None:
        running = [each for each in self.truth.lives.values() if each.end is None]
        if not running:
            return
        life = running[step.which % len(running)]
        last = self.present[life.uid]
        life.end, life.told = self.second(), step.how != "vanish"
        done = pod(
            life.uid,
            gpus=life.gpus,
            labels=last["metadata"]["labels"],
            on=last["spec"]["nodeName"],
            bound=life.start,
            finished=life.end if life.told else None,
        )
        if step.how.startswith("finish"):
            self.tell(done)
        if step.how != "finish":
            self.tell(done, gone=True)

    def relabel(self, step: Relabel) -> None:
        running = [each for each in self.truth.lives.values() if each.end is None]
        if running:
            obj = self.present[running[step.which % len(running)].uid]
            metadata = {**obj["metadata"], "labels": {"team": "b"}}
            self.tell({**obj, "metadata": metadata})

    def price(self, step: Price) -> None:
        since = self.second() + step.ahead // SECOND * SECOND + SECOND
        while any(each.since == since for each in self.booked):
            since += SECOND  # of two that begin together the name decides, which is not asked here
        nano = step.cents * NANO // 100
        self.booked.append(Rate(since, f"r{len(self.booked)}", nano))
        if not step.ahead:
            self.now = since
        if self.operator:
            self.operator.price([self.book()], self.now)
            self.operator.ledger.commit()
            self.truth.reprice(self.booked, self.now)

    def book(self) -> dict[str, Any]:
        return book(
            *(
                flat(
                    f"{each.nano // NANO}.{each.nano % NANO:09d}",
                    each.rule,
                    validFrom=format_time(each.since),
                )
                for each in self.booked
            )
        )

    def newbudget(self, _: NewBudget) -> None:
        if len(self.budgets) > 2:
            return
        obj = budget("late", created=self.second())
        self.budgets.append(obj)
        if self.operator:
            self.operator.budgets.apply(obj, self.now, gone=False)

    def start(self, step: Start) -> None:
        if self.operator:
            return
        self.operator = operator = Operator.start(
            self.path,
            books=[self.book()],
            budgets=self.budgets,
            now=self.now,
            eager=False,
        )
        for name in NODES:
            operator.nodes.apply(node(name), self.now, deleted=False)
        operator.ledger.commit()
        self.truth.reprice(self.booked, self.now)
        # A checkpoint from before a list that was lost with its operator is one that nobody knows.
        if step.gap or operator.version < max(1, self.listed):
            self.relist(operator)
            operator.see_version(len(self.log), self.now)
            return
        position = max(self.listed, operator.version - step.again)
        operator.relist(self.unchanged(position), self.now, gap=False)
        for version in range(position, len(self.log)):
            obj, gone = self.log[version]
            operator.see(obj, self.now, deleted=gone, replayed=True, version=version + 1)
        if position < len(self.log):
            operator.see_version(len(self.log), self.now)

    def relist(self, operator: Operator) -> None:
        """Only what is there now is known: who came and went since the last commit never was."""
        self.listed = len(self.log)
        self.forgotten |= self.truth.lives.keys() - self.present.keys()
        operator.ledger.commit()
        met = {row.pod_uid for row in operator.ledger.reader.intervals(0, 1 << 61)}
        for uid, life in self.truth.lives.items():
            if uid in self.present and uid not in met:  # it is bound, as far as anybody saw, now
                life.team = self.present[uid]["metadata"]["labels"]["team"]
        operator.relist(list(self.present.values()), self.now, gap=True)

    def unchanged(self, position: int) -> list[dict[str, Any]]:
        changed = {obj["metadata"]["uid"] for obj, _ in self.log[position:]}
        return [obj for uid, obj in self.present.items() if uid not in changed]

    def tell(self, obj: dict[str, Any], *, gone: bool = False) -> None:
        obj["metadata"]["uid"] = obj["metadata"]["name"]
        self.log.append((obj, gone))
        if gone:
            self.present.pop(obj["metadata"]["uid"], None)
        else:
            self.present[obj["metadata"]["uid"]] = obj
        if self.operator:
            self.operator.see(obj, self.now, deleted=gone, version=len(self.log))

    def second(self) -> Ms:
        return self.now - self.now % SECOND

    # --- the comparison ---

    def check(self) -> None:
        if self.operator is None:
            self.start(Start(again=2, gap=False))
        assert self.operator is not None
        self.operator.checkpoint(self.now)
        self.operator.ledger.commit()
        self.compare()
        self.operator.close()
        self.operator = None
        self.start(Start(again=3, gap=False))
        self.compare()

    def compare(self) -> None:
        operator = self.operator
        assert operator is not None
        operator.ledger.commit()
        rows = list(operator.ledger.reader.intervals(0, 1 << 61))
        told = {life.uid: life for life in self.truth.lives.values()}
        for row in rows:
            self.take_over_the_estimate(told[row.pod_uid], row)
        known = {row.pod_uid for row in rows}
        assert set(told) - known <= self.forgotten
        stored: dict[str, int] = {}
        for row in rows:
            stored[row.pod_uid] = stored.get(row.pod_uid, 0) + row.cost.total
        expected = {uid: self.paid(told[uid]) for uid in known}
        assert stored == expected
        assert sum(operator.counted(self.now).values()) == sum(expected.values())
        self.compare_budgets([told[uid] for uid in known])

    def compare_budgets(self, lives: list[Life]) -> None:
        operator = self.operator
        assert operator is not None
        midnight = self.now - self.now % DAY
        created = {obj["metadata"]["name"]: obj for obj in self.budgets}
        for key, members in (
            (ALL, lives),
            (TEAM_A, [each for each in lives if each.team == "a"]),
            (LATE, lives),
        ):
            # An estimated end is no whole second, as the making of a budget is: whether one made in
            # that second pays is up to which was known first.
            if key.name not in created or (key is LATE and self.forgotten):
                continue
            since = max(midnight, operator.world.budgets[key].created)
            expected = sum(self.paid(each, since) for each in members)
            assert operator.spent(key, self.now) == expected, key
            held = sum(each.gpus * self.lived(each, since) for each in members)
            assert operator.world.standings[key].spent.gpu_ms == held
            operator.purses.recount(operator.world.budgets[key], self.now)
            assert operator.spent(key, self.now) == expected, f"recount of {key}"

    def take_over_the_estimate(self, life: Life, row: Any) -> None:
        """Where nothing told the end, the row's must be honest, and is then what counts."""
        end = row.segment.end
        if end is None or end.witness == "price change":
            return
        estimated = end.basis is Basis.ESTIMATED
        if life.told and not (estimated and life.uid in self.forgotten):
            assert (end.basis, end.at) == (Basis.EXACT, life.end)
            return
        assert life.end is not None
        if estimated:
            assert end.low is not None
            assert end.high is not None
            assert end.low <= end.at <= end.high
            assert end.low - SECOND < life.end <= end.high
        else:
            assert end.basis is Basis.OBSERVED
            assert life.end <= end.at <= life.end + SECOND
        life.end = end.at

    def lived(self, life: Life, since: Ms) -> Ms:
        end = self.now if life.end is None else life.end
        return max(0, end - max(since, life.start))

    def paid(self, life: Life, since: Ms = 0) -> int:
        return self.truth.cost(life, since, self.now if life.end is None else life.end)


# --- the property ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with its schema and nothing in it."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    Ledger.open(str(path), CLUSTER).close()
    return path


@contextmanager
def day(empty: Path) -> Iterator[Day]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        shutil.copy(empty, path)
        made = Day(path)
        try:
            yield made
        finally:
            if made.operator is not None:
                made.operator.ledger.crash()


@settings(
    max_examples=50,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(life=st.lists(steps, min_size=12, max_size=40))
def test_every_account_is_the_closed_form(empty: Path, life: list[object]) -> None:
    with day(empty) as made:
        for step in life:
            made.do(step)
        event(f"pods: {min(len(made.truth.lives), 5)}")
        event(f"kills: {min(sum(isinstance(step, Kill) for step in life), 3)}")
        made.now += MINUTE
        made.check()
