"""However pods live, prices change and operators die, every account equals the closed form.

A machine drives random days: pods are bound, end, vanish and are relabelled, prices are edited,
budgets are made, and operators follow one another over the same ledger. Each may be killed between
any two commits, is told again what it has seen already, and may find that the API server no longer
knows what happened. At any moment, and at the end, the ledger, its sums by hour and day, the
budgets' purses, a recount of these, and the counters are compared with sums worked out from the
events alone, in nano-units.
"""

import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

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
        self.start(again=0, gap=False)

    # --- what happens ---

    def checkpoint(self) -> None:
        if self.operator:
            self.operator.checkpoint(self.now)

    def gap(self) -> None:
        """The watch breaks in mid-run, and the API server no longer knows the past."""
        if self.operator:
            self.relist(self.operator)

    def kill(self, committed: int) -> None:
        """kill -9, with so many of the waiting batches committed."""
        if self.operator:
            self.operator.ledger.crash(committed)
            self.operator = None

    def bind(self, gpus: int, on: str, team: str, *, waits: bool) -> None:
        """A pod is made and bound, with or without a moment in which it waits."""
        name = f"p{len(self.truth.lives)}"
        labels = {"team": team}
        if waits:
            self.tell(pod(name, gpus=gpus, labels=labels))
        second = self.second()
        self.truth.lives[name] = Life(name, gpus, team, second)
        self.tell(pod(name, gpus=gpus, labels=labels, on=on, bound=second))

    def running(self) -> list[Life]:
        return [each for each in self.truth.lives.values() if each.end is None]

    def end(self, life: Life, how: str) -> None:
        """A pod's containers end, or it is gone from one moment to the next.

        Args:
            life: it runs.
            how: `finish`, `finish and delete`, `delete when finished`, or `vanish`.
        """
        last = self.present[life.uid]
        life.end, life.told = self.second(), how != "vanish"
        done = pod(
            life.uid,
            gpus=life.gpus,
            labels=last["metadata"]["labels"],
            on=last["spec"]["nodeName"],
            bound=life.start,
            finished=life.end if life.told else None,
        )
        if how.startswith("finish"):
            self.tell(done)
        if how != "finish":
            self.tell(done, gone=True)

    def relabel(self, life: Life) -> None:
        obj = self.present[life.uid]
        metadata = {**obj["metadata"], "labels": {"team": "b"}}
        self.tell({**obj, "metadata": metadata})

    def price(self, cents: int, ahead: Ms) -> None:
        """The price is edited; `ahead` (ms) makes it a dated one."""
        since = self.second() + ahead // SECOND * SECOND + SECOND
        while any(each.since == since for each in self.booked):
            since += SECOND  # of two that begin together the name decides, which is not asked here
        self.booked.append(Rate(since, f"r{len(self.booked)}", cents * NANO // 100))
        if not ahead:
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

    def late_budget(self) -> None:
        obj = budget("late", created=self.second())
        self.budgets.append(obj)
        if self.operator:
            self.operator.budgets.apply(obj, self.now, gone=False)

    def start(self, *, again: int, gap: bool) -> None:
        """A new operator, told again so many events that the checkpoint is past.

        Args:
            again: how many.
            gap: the API server no longer knows the past, and only lists.
        """
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
        if gap or operator.version < max(1, self.listed):
            self.relist(operator)
            operator.see_version(len(self.log), self.now)
            return
        position = max(self.listed, operator.version - again)
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
        """All accounts, with the operator that is there and with the one after it."""
        if self.operator is None:
            self.start(again=2, gap=False)
        self.compare()
        assert self.operator is not None
        self.operator.close()
        self.operator = None
        self.start(again=3, gap=False)
        self.compare()

    def compare(self) -> None:
        operator = self.operator
        assert operator is not None
        operator.checkpoint(self.now)
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
        open_ = {row.pod_uid for row in rows if row.segment.end is None}
        self.compare_sums([told[uid] for uid in known - open_])

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

    def compare_sums(self, ended: list[Life]) -> None:
        """By hour and by day, as far as lives are over."""
        for table, column, length in (("hourly", "hour_ms", HOUR), ("daily", "day_ms", DAY)):
            stored: Counter[Ms] = Counter()
            with closing(sqlite3.connect(self.path)) as connection:
                query = f"SELECT {column}, capex_nano, opex_nano FROM {table}"
                for since, capex, opex in connection.execute(query):
                    stored[since] += int(capex) + int(opex)
            expected: Counter[Ms] = Counter()
            for life in ended:
                assert life.end is not None
                for since in range(life.start - life.start % length, life.end, length):
                    expected[since] += self.truth.cost(life, since, min(life.end, since + length))
            assert +stored == +expected, table

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


# --- the machine ----------------------------------------------------------------------------------


@cache
def empty() -> bytes:
    """A ledger with its schema and nothing in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        Ledger.open(str(path), CLUSTER).close()
        return path.read_bytes()


class Days(RuleBasedStateMachine):
    """Everything that may happen to a cluster, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ledger.db"
        path.write_bytes(empty())
        self.day = Day(path)
        self.checked = True

    def teardown(self) -> None:
        try:
            event(f"pods: {min(len(self.day.truth.lives), 5)}")
            if not self.checked:  # a failure has been told by now where something was wrong before
                self.day.now += MINUTE
                self.day.check()
        finally:
            if self.day.operator is not None:
                self.day.operator.ledger.crash()
            self.folder.cleanup()

    def some(self, which: int) -> Life:
        running = self.day.running()
        return running[which % len(running)]

    def has_operator(self) -> bool:
        return self.day.operator is not None

    def has_none(self) -> bool:
        return self.day.operator is None

    def has_running(self) -> bool:
        return bool(self.day.running())

    @invariant()
    def time_goes_on(self) -> None:
        self.day.now += 1

    @rule(
        gpus=st.sampled_from(GPUS),
        on=st.sampled_from(NODES),
        team=st.sampled_from(TEAMS),
        waits=st.booleans(),
    )
    def bind(self, gpus: int, on: str, team: str, *, waits: bool) -> None:
        self.day.bind(gpus, on, team, waits=waits)
        self.checked = False

    @precondition(has_running)
    @rule(
        which=st.integers(0, 20),
        how=st.sampled_from(["finish", "finish and delete", "delete when finished", "vanish"]),
    )
    def end(self, which: int, how: str) -> None:
        self.day.end(self.some(which), how)
        self.checked = False

    @rule(milliseconds=st.integers(1, 3 * HOUR))
    def wait(self, milliseconds: Ms) -> None:
        self.day.now += milliseconds

    @precondition(has_running)
    @rule(which=st.integers(0, 20))
    def relabel(self, which: int) -> None:
        self.day.relabel(self.some(which))

    @rule(cents=st.integers(0, 100_000), ahead=st.just(0) | st.integers(1, 6 * HOUR))
    def price(self, cents: int, ahead: Ms) -> None:
        self.day.price(cents, ahead)
        self.checked = False

    @precondition(lambda self: len(self.day.budgets) < 3)
    @rule()
    def late_budget(self) -> None:
        self.day.late_budget()
        self.checked = False

    @precondition(has_operator)
    @rule()
    def checkpoint(self) -> None:
        self.day.checkpoint()

    @precondition(has_operator)
    @rule()
    def gap(self) -> None:
        self.day.gap()
        self.checked = False

    @precondition(has_operator)
    @rule(committed=st.integers(0, 6))
    def kill(self, committed: int) -> None:
        self.day.kill(committed)
        self.checked = False

    @precondition(has_none)
    @rule(again=st.integers(0, 6), gap=st.sampled_from([False, False, True]))
    def start(self, again: int, *, gap: bool) -> None:
        self.day.start(again=again, gap=gap)
        self.checked = False

    @precondition(has_operator)
    @rule()
    def every_account_is_the_closed_form(self) -> None:
        self.day.compare()


TestDays = Days.TestCase
TestDays.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
