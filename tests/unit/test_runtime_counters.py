"""Exact counters: at zero first, never lower, over kills too; workloads for a while; bounds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bursar.domain.time import HOUR, SECOND, Ms
from bursar.domain.workload import Owner
from bursar.pipeline import Sighting
from bursar.runtime.counting.series import WORKLOAD
from bursar.runtime.counting.totals import Limits, Totals
from bursar.runtime.metrics.views import Views
from support.runtime import JSON, T0, Operator, book, flat, node, pod

COST = "bursar_cost"
WORKLOADS = "bursar_workload_cost"
SERIES = ("vision", "unknown", "unallocated", "", "h100-sxm5-80gb", "USD")
SETTLE = 5 * SECOND
TEN_SECONDS = 0.05
"""What half of the node costs in that time: it is 36 an hour."""


@dataclass
class Running:
    """An operator on a ledger that stays, at a moment that a test chooses."""

    path: Path
    limits: Limits
    now: Ms = T0
    eager: bool = True

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.op = Operator.start(
            self.path, books=[book(flat("36"))], now=self.now, eager=self.eager
        )
        self.op.accounts.totals = Totals(self.limits)
        self.op.accounts.restore()
        self.op.nodes.apply(node(), self.now, deleted=False)
        self.views = Views(self.op.controller(), "USD", "2026-07-20", SETTLE)

    def kill(self, committed: int = 0) -> None:
        """Lose what is not written, and start again."""
        self.op.ledger.crash(committed)
        self.start()

    def see(self, obj: JSON, at: Ms, job: str = "", deleted: bool = False) -> None:
        owners = ()
        if job:
            owners = (
                Owner(
                    api_version="batch/v1", kind="Job", namespace="vision", name=job, uid=f"u-{job}"
                ),
            )
        self.now = at
        self.op.accounts.apply(obj, owners, Sighting(now=at, deleted=deleted))

    def scrape(
        self, at: Ms, family: str = COST, who: str | None = "a"
    ) -> dict[tuple[str, ...], float]:
        """What somebody is shown of a family at a moment."""
        self.now = at
        self.views.refresh(who)
        found = {labels: value for labels, value, _ in self.views.samples(family)}
        self.views.shown()
        return found


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    made: list[Running] = []

    def begin(limits: Limits | None = None, *, eager: bool = True) -> Running:
        made.append(Running(tmp_path / "ledger.db", limits or Limits(), eager=eager))
        monkeypatch.setattr("bursar.runtime.metrics.views.clock.now", lambda: made[0].now)
        return made[0]

    yield begin
    for each in made:
        each.op.close()


def jobs(found: Mapping[tuple[str, ...], float]) -> dict[str, float]:
    return {labels[2]: value for labels, value in found.items()}


# --- at zero first --------------------------------------------------------------------------------


def test_who_scrapes_sees_a_new_series_at_zero_and_then_what_it_counts(start: Start) -> None:
    run = start()
    assert run.scrape(T0) == {}
    run.see(pod("p", bound=T0, finished=T0 + 10 * SECOND), T0 + 10 * SECOND)
    assert run.scrape(T0 + 15 * SECOND) == {SERIES: 0.0}
    assert run.scrape(T0 + 30 * SECOND) == {SERIES: TEN_SECONDS}


def test_each_who_scrapes_has_a_zero_of_his_own(start: Start) -> None:
    run = start()
    run.scrape(T0, who="a")
    run.scrape(T0, who="b")
    run.see(pod("p", bound=T0, finished=T0 + 10 * SECOND), T0 + 10 * SECOND)
    shown = [run.scrape(T0 + HOUR, who=who)[SERIES] for who in ("a", "a", "b", "b")]
    assert shown == [0.0, TEN_SECONDS, 0.0, TEN_SECONDS]


@pytest.mark.parametrize("who", [None, "stranger"])
def test_people_and_strangers_see_everything_as_it_stands(start: Start, who: str | None) -> None:
    run = start()
    run.see(pod("p", bound=T0, finished=T0 + 10 * SECOND), T0 + 10 * SECOND)
    assert run.scrape(T0 + HOUR, who=who) == {SERIES: TEN_SECONDS}


def test_a_zero_is_shown_once_over_a_kill_however_short(start: Start) -> None:
    run = start()
    run.scrape(T0)
    run.see(pod("p", bound=T0, finished=T0 + 10 * SECOND), T0 + 10 * SECOND)
    assert run.scrape(T0 + 15 * SECOND)[SERIES] == 0.0
    assert run.scrape(T0 + 16 * SECOND)[SERIES] == TEN_SECONDS
    run.kill()
    assert run.scrape(T0 + 17 * SECOND)[SERIES] == TEN_SECONDS, "a zero would be a reset"


def test_what_came_while_the_operator_was_away_is_at_zero_first_for_who_was_there_before(
    start: Start,
) -> None:
    run = start()
    run.scrape(T0)
    run.kill()
    run.see(pod("p", bound=T0, finished=T0 + 10 * SECOND), T0 + 20 * SECOND)
    assert run.scrape(T0 + 20 * SECOND)[SERIES] == 0.0
    assert run.scrape(T0 + 21 * SECOND)[SERIES] == TEN_SECONDS


def test_a_pod_that_waits_has_its_series_already(start: Start) -> None:
    run = start()
    run.see(pod("p"), T0)
    assert run.scrape(T0 + SECOND, who=None) == {SERIES: 0.0}
    assert jobs(run.scrape(T0 + SECOND, WORKLOADS, who=None)) == {"p": 0.0}
    run.see(pod("p", bound=T0 + 10 * SECOND, finished=T0 + 20 * SECOND), T0 + 20 * SECOND)
    assert run.scrape(T0 + HOUR) == {SERIES: TEN_SECONDS}


def test_a_pod_that_waits_announces_no_accelerator_that_it_cannot_get(start: Start) -> None:
    run = start()
    amd = {
        "nvidia.com/gpu.product": "",
        "node.kubernetes.io/instance-type": "Standard_ND96isr_MI300X_v5",
    }
    run.op.nodes.apply(node("other", labels=amd), T0, deleted=False)
    chosen = pod("p")
    chosen["spec"]["nodeSelector"] = {"node.kubernetes.io/instance-type": "p5.48xlarge"}
    run.see(chosen, T0)
    assert run.scrape(T0, who=None) == {SERIES: 0.0}


# --- never lower ----------------------------------------------------------------------------------


def test_open_pods_are_counted_up_to_a_little_before_now(start: Start) -> None:
    run = start()
    run.see(pod("p", bound=T0), T0)
    assert run.scrape(T0 + HOUR, who=None) == {SERIES: 17.975}


LATE = T0 + 60 * SECOND


def test_an_end_that_is_heard_of_late_lowers_nothing_and_shows_as_a_correction(
    start: Start,
) -> None:
    run = start()
    run.see(pod("p", bound=T0), T0)
    before = run.scrape(LATE, who=None)[SERIES]
    run.see(pod("p", bound=T0, finished=LATE - 30 * SECOND), LATE)
    assert run.scrape(LATE, who=None)[SERIES] == before == pytest.approx(18 * 55 / 3600)
    over = run.scrape(LATE, "bursar_cost_corrections", who=None)
    assert over == {SERIES: pytest.approx(18 * 25 / 3600)}
    assert before - over[SERIES] == pytest.approx(18 * 30 / 3600, abs=1e-9)


def test_no_kill_makes_a_counter_fall_that_had_been_scraped(start: Start) -> None:
    run = start()
    run.see(pod("p", bound=T0), T0)
    before = run.scrape(LATE, who=None)[SERIES]
    run.kill()
    run.see(pod("p", bound=T0, finished=LATE - 30 * SECOND), LATE)
    assert run.scrape(LATE + SECOND, who=None)[SERIES] == before


def test_nothing_is_shown_that_a_crash_could_take_back(start: Start) -> None:
    run = start(eager=False)
    run.see(pod("p", bound=T0), T0)
    run.op.ledger.commit()
    assert run.scrape(LATE, who=None) == {}, "not even the series is written"
    run.op.ledger.commit()
    shown = run.scrape(LATE, who=None)[SERIES]
    assert shown == pytest.approx(18 * 55 / 3600)
    assert run.scrape(LATE + HOUR, who=None)[SERIES] == shown, "the rest is not written yet"
    run.kill()
    run.see(pod("p", bound=T0, finished=LATE - 30 * SECOND), LATE)
    run.op.ledger.commit()
    assert run.scrape(LATE + 2 * HOUR, who=None)[SERIES] == shown


def test_paid_and_idle_are_what_the_node_costs(start: Start) -> None:
    run = start()
    run.see(pod("runs", bound=T0, gpus=2), T0)
    run.see(pod("ended", bound=T0, finished=T0 + HOUR, gpus=1), T0 + HOUR)
    for now in (T0 + HOUR + SECOND, T0 + 2 * HOUR):
        paid = sum(run.scrape(now, who=None).values())
        idle = sum(run.scrape(now, "bursar_idle_cost", who=None).values())
        beyond = 4.5 * max(0, T0 + HOUR - (now - SETTLE)) / HOUR  # an ended pod is counted whole
        assert paid - beyond + idle == pytest.approx(36 * (now - SETTLE - T0) / HOUR)


# --- workloads ------------------------------------------------------------------------------------


def test_a_workload_counts_all_its_pods_and_goes_on_over_a_kill(start: Start) -> None:
    run = start()
    run.see(pod("a", bound=T0, finished=T0 + HOUR), T0 + HOUR, job="train")
    run.see(pod("b", bound=T0), T0 + HOUR, job="train")
    assert jobs(run.scrape(T0 + HOUR + SETTLE, WORKLOADS, who=None)) == {"train": 36.0}
    run.kill()
    run.see(pod("b", bound=T0, finished=T0 + 2 * HOUR), T0 + 2 * HOUR, job="train")
    assert jobs(run.scrape(T0 + 2 * HOUR, WORKLOADS, who=None)) == {"train": 54.0}
    hours = run.scrape(T0 + 2 * HOUR, "bursar_workload_gpu_seconds", who=None)
    assert list(hours.values()) == [3 * 4 * 3600.0]


def test_a_workload_is_shown_for_a_while_after_its_end_and_anew_when_it_comes_again(
    start: Start,
) -> None:
    run = start(Limits(retention=HOUR))
    run.see(pod("a", bound=T0, finished=T0 + HOUR), T0 + HOUR, job="train")
    assert jobs(run.scrape(T0 + 2 * HOUR - 1, WORKLOADS)) == {"train": 18.0}
    run.kill()
    assert jobs(run.scrape(T0 + 2 * HOUR - 1, WORKLOADS)) == {"train": 18.0}
    assert run.scrape(T0 + 2 * HOUR, WORKLOADS) == {}
    assert sum(run.scrape(T0 + 2 * HOUR).values()) == 18.0, "its namespace's use stays"
    again = pod("b", created=T0 + 3 * HOUR, bound=T0 + 3 * HOUR)
    run.see(again, T0 + 3 * HOUR, job="train")
    assert jobs(run.scrape(T0 + 4 * HOUR, WORKLOADS)) == {"train": 0.0}
    (series,) = run.op.accounts.totals.roster.of(WORKLOAD)
    assert series.created == T0 + 3 * HOUR


def test_a_pod_that_was_deleted_before_it_began_lets_its_workload_end(start: Start) -> None:
    run = start(Limits(retention=HOUR))
    run.see(pod("a"), T0, job="train")
    run.see(pod("a"), T0 + SECOND, job="train", deleted=True)
    assert jobs(run.scrape(T0 + HOUR, WORKLOADS)) == {"train": 0.0}
    assert run.scrape(T0 + HOUR + SECOND, WORKLOADS) == {}


def test_workloads_beyond_the_limit_are_counted_in_one_and_warned_of(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    run = start(Limits(workloads=2))
    for name in "abcd":
        run.see(pod(name, bound=T0, gpus=2), T0, job=name)
    shown = jobs(run.scrape(T0 + HOUR + SETTLE, WORKLOADS, who=None))
    assert shown == {"a": 9.0, "b": 9.0, "other": 18.0}
    assert run.scrape(T0 + HOUR, "bursar_workloads_in_other") == {(): 2.0}
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["workloads=2 have series of their own, as many as may: others are in 'other'"]
    run.see(pod("c", bound=T0, gpus=2, finished=T0 + 2 * HOUR), T0 + 2 * HOUR, job="c")
    run.op.ledger.commit()
    run.limits = Limits(workloads=9)
    run.kill()
    for name in "abd":
        run.see(pod(name, bound=T0, gpus=2), T0 + 2 * HOUR, job=name)
    shown = jobs(run.scrape(T0 + 2 * HOUR + SETTLE, WORKLOADS, who=None))
    assert shown == {"a": 18.0, "b": 18.0, "other": 36.0}, "d stays where it was counted"
