"""What Prometheus scrapes: a small world to the letter, bounds, and counters that never fall."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from bursar import __version__
from bursar.domain.time import HOUR, SECOND
from bursar.runtime import metrics
from bursar.runtime.metrics import FAMILIES, OTHER, USAGE_LABELS, Sample, bounded, make_registry
from bursar.runtime.views import Views
from support.runtime import T0, Operator, book, budget, flat, node, pod

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"
NAMES = sorted(family.name for family in FAMILIES)


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(
        tmp_path / "ledger.db", books=[book(flat("48"))], namespaces={"vision": {}}
    )
    made.nodes.apply(node(), T0, deleted=False)
    yield made
    made.close()


@pytest.fixture
def hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bursar.runtime.clock.now", lambda: T0 + HOUR)


def views(op: Operator) -> Views:
    return Views(op.controller(), "USD", "2026-07-20")


def live(op: Operator) -> None:
    """A budget of 100 a day; one pod that ended, one that runs."""
    hold = [{"percent": 100, "actions": ["Hold"]}]
    op.budgets.apply(
        budget(limits={"cost": "100", "gpuHours": "10"}, thresholds=hold), T0, gone=False
    )
    op.see(pod("ended", bound=T0, finished=T0 + HOUR // 2, gpus=2), T0 + HOUR // 2)
    op.see(pod("runs", bound=T0), T0)
    op.budgets.assess(T0 + HOUR)


def test_a_small_world_to_the_letter(op: Operator, hour_later: None) -> None:
    live(op)
    registry, _ = make_registry(views(op))
    shown = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if not line.startswith("#") and "_bucket" not in line and "_created" not in line
    ]
    text = "\n".join(shown) + "\n"
    assert text.replace(__version__, "VERSION") == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_family_has_a_reader_that_gives_a_value_for_each_label(
    op: Operator, hour_later: None, name: str
) -> None:
    live(op)
    family = next(each for each in FAMILIES if each.name == name)
    for labels, value in views(op).samples(name):
        assert len(labels) == len(family.labels)
        assert all(isinstance(label, str) for label in labels)
        assert isinstance(value, float)


def test_there_is_no_reader_without_a_family(op: Operator) -> None:
    assert sorted(views(op)._readers) == NAMES


def test_a_family_is_well_named_and_well_described() -> None:
    for family in FAMILIES:
        assert family.name.startswith("bursar_")
        assert not family.name.endswith("_total"), "the exposition adds it"
        assert family.help.endswith(".")
        assert family.exposed.endswith("_total") is family.counter
    assert len(set(NAMES)) == len(NAMES)


class Told:
    """A source that says what it is told to."""

    def __init__(self) -> None:
        self.value = 1.0

    def refresh(self) -> None:
        pass

    def samples(self, family: str) -> Iterable[Sample]:
        if family == "bursar_event_errors":
            yield ("pods",), self.value
        if family == "bursar_ledger_pending_rows":
            yield (), self.value

    def build(self) -> dict[str, str]:
        return {"version": "0"}


def test_a_counter_never_falls_and_a_gauge_may() -> None:
    told = Told()
    registry, _ = make_registry(told)
    for value, counted in ((1.0, 1.0), (7.0, 7.0), (3.0, 7.0), (8.0, 8.0)):
        told.value = value
        shown = registry.get_sample_value("bursar_event_errors_total", {"stream": "pods"})
        assert shown == counted
        assert registry.get_sample_value("bursar_ledger_pending_rows") == value


def test_counters_go_on_over_a_restart_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    shown: list[float] = []
    for hour in (1, 2, 3):
        now = T0 + hour * HOUR
        monkeypatch.setattr("bursar.runtime.clock.now", lambda now=now: now)
        op = Operator.start(path, books=[book(flat("48"))], now=now)
        op.nodes.apply(node(), now, deleted=False)
        op.relist([pod("runs", bound=T0)], now, gap=False)
        shown.append(sum(value for _, value in views(op).samples("bursar_cost")))
        op.close()
    assert shown == [24.0, 48.0, 72.0]


def test_all_samples_of_a_scrape_are_of_one_moment(
    op: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(op)
    moments = iter(range(T0 + HOUR, T0 + 50 * HOUR, HOUR))
    monkeypatch.setattr("bursar.runtime.clock.now", lambda: next(moments))
    registry, _ = make_registry(views(op))
    for hour in (2, 3):
        shown = {
            sample.name: sample.value
            for family in registry.collect()
            for sample in family.samples
            if "measure" not in sample.labels or sample.labels["measure"] == "cost"
        }
        assert shown["bursar_cost_total"] == shown["bursar_budget_spent"] == 6 + 24 * hour
        assert shown["bursar_cost_total"] + shown["bursar_idle_cost_total"] == 48 * hour


# --- bounds ---------------------------------------------------------------------------------------


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_SERIES", 3)


def used(namespace: str, team: str, model: str = "m") -> tuple[str, ...]:
    return namespace, "training", team, model, "t4"


def test_what_tenants_multiply_ends_in_one_series(three: None) -> None:
    samples = [(used("a", f"team-{n}"), 1.0) for n in range(10)]
    found = dict(bounded(USAGE_LABELS, samples))
    assert found[used("a", OTHER, OTHER)] == 7.0
    assert len(found) == 4
    assert sum(found.values()) == 10.0


def test_a_series_that_is_shown_already_goes_on(three: None) -> None:
    samples = [(used("a", f"team-{n}"), 1.0) for n in range(5)]
    found = dict(bounded(USAGE_LABELS, [*samples, (used("a", "team-0"), 1.0)]))
    assert found[used("a", "team-0")] == 2.0


def test_namespaces_are_not_mixed_up_in_the_rest(three: None) -> None:
    samples = [(used(f"ns-{n % 2}", f"team-{n}"), 1.0) for n in range(9)]
    found = dict(bounded(USAGE_LABELS, samples))
    assert found[used("ns-0", OTHER, OTHER)] + found[used("ns-1", OTHER, OTHER)] == 6.0


def test_samples_of_the_same_labels_are_summed() -> None:
    assert bounded(("a",), [(("x",), 1.0), (("x",), 2.0)]) == [(("x",), 3.0)]


# --- probes ---------------------------------------------------------------------------------------


def test_it_is_ready_once_something_has_been_assessed(op: Operator) -> None:
    controller = op.controller()
    shown = Views(controller, "USD", "2026-07-20")
    assert "assess" in shown.readiness()
    controller.assessed = T0
    assert shown.readiness() == {}


def test_a_process_that_assesses_nothing_any_more_should_be_restarted(
    op: Operator, hour_later: None
) -> None:
    controller = op.controller()
    shown = Views(controller, "USD", "2026-07-20")
    assert shown.health() == {}, "it has only begun"
    controller.assessed = T0 + HOUR - SECOND
    assert shown.health() == {}
    controller.assessed = T0
    assert "nothing has been assessed" in shown.health()["assess"]
