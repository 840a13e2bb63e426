"""What Prometheus scrapes: a small world to the letter, in both formats."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from bursar import __version__
from bursar.domain.time import HOUR, SECOND
from bursar.runtime.metrics.exposition import OPENMETRICS, TEXT, Exposition, wants_openmetrics
from bursar.runtime.metrics.families import FAMILIES, PROMISES, Sample
from bursar.runtime.metrics.views import Views
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


def scraped(shown: Views, scraper: str | None = None) -> str:
    shown.refresh(scraper)
    return Exposition(shown).page().body.decode()


@dataclass
class Clock:
    now: Callable[[], int]


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
    shown = [
        line
        for line in scraped(views(op)).splitlines()
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
    shown = views(op)
    shown.refresh()
    for labels, value, since in shown.samples(name):
        assert family.counter or since is None or since <= T0 + HOUR
        assert len(labels) == len(family.labels)
        assert all(isinstance(label, str) for label in labels)
        assert isinstance(value, float)


def test_there_is_no_reader_without_a_family(op: Operator) -> None:
    shown = views(op)
    assert sorted([*shown._readers, *shown._exact]) == NAMES


def test_a_family_is_well_named_and_well_described() -> None:
    for family in FAMILIES:
        assert family.name.startswith("bursar_")
        assert not family.name.endswith("_total"), "the exposition adds it"
        assert family.help.endswith(".")
        assert family.exposed.endswith("_total") is family.counter
        assert family.promise in PROMISES
    assert len(set(NAMES)) == len(NAMES)


class Told:
    """A source that says what it is told to."""

    def __init__(self, *samples: Sample) -> None:
        self.said = samples

    def refresh(self, scraper: str | None = None) -> None:
        pass

    def shown(self) -> None:
        pass

    def samples(self, family: str) -> Iterable[Sample]:
        return self.said if family == "bursar_observed_refusals" else ()

    def build(self) -> dict[str, str]:
        return {"version": "0"}


ODD = 'a"b\\c\nd\x00\udc80é'
"""What the API server lets nobody write, and a defect might bring."""


@pytest.mark.parametrize("parse", [text_string_to_metric_families, openmetrics_families])
def test_odd_names_are_written_so_that_they_can_be_read(
    parse: Callable[[str], Iterable[Metric]],
) -> None:
    told = Told(((ODD,), 1.5, T0))
    page = Exposition(told).page(openmetrics=parse is openmetrics_families)
    found = [
        sample.labels["namespace"]
        for family in parse(page.body.decode())
        for sample in family.samples
        if sample.name == "bursar_observed_refusals_total"
    ]
    assert found == [ODD.replace("\udc80", "?")]


def test_openmetrics_say_since_when_a_counter_counts_and_plain_text_does_not() -> None:
    exposition = Exposition(Told((("a",), 3.0, T0)))
    text = exposition.page().body.decode()
    assert "bursar_observed_refusals_created" not in text
    page = exposition.page(openmetrics=True)
    assert f'bursar_observed_refusals_created{{namespace="a"}} {T0 / 1000}' in page.body.decode()
    assert page.body.endswith(b"# EOF\n")


PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        pytest.param(PROMETHEUS_3, True, id="Prometheus likes OpenMetrics best"),
        pytest.param("", False, id="who asks for nothing gets text"),
        pytest.param("*/*", False, id="who takes anything gets text"),
        pytest.param("text/html, */*;q=0.8", False, id="a browser gets text"),
        pytest.param("application/openmetrics-text", True, id="OpenMetrics of any version"),
        pytest.param(
            "application/openmetrics-text;version=0.0.1", False, id="only an older OpenMetrics"
        ),
        pytest.param(
            "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5",
            False,
            id="text is liked better",
        ),
        pytest.param("application/openmetrics-text;q=0", False, id="OpenMetrics is not liked"),
        pytest.param("application/openmetrics-text;q=x,,;", False, id="nonsense gets text"),
    ],
)
def test_the_format_is_what_the_request_likes_best(accept: str, openmetrics: bool) -> None:
    assert wants_openmetrics(accept) is openmetrics


async def test_an_answer_names_its_format() -> None:
    exposition = Exposition(Told())
    assert (await exposition.answer(PROMETHEUS_3, None)).content_type == OPENMETRICS
    assert (await exposition.answer("", None)).content_type == TEXT


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
        now_shown = views(op)
        now_shown.refresh()
        shown.append(sum(value for _, value, _ in now_shown.samples("bursar_cost")))
        op.close()
    assert shown == [24.0, 48.0, 72.0]


def test_all_samples_of_a_scrape_are_of_one_moment(
    op: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(op)
    of = views(op)
    for hour in (2, 3):
        asked = iter([T0 + hour * HOUR])
        # Whoever asks a second time is an hour late.
        monkeypatch.setattr(
            "bursar.runtime.metrics.views.clock",
            Clock(lambda left=asked: next(left, T0 + 9 * HOUR)),
        )
        shown = {
            sample.name: sample.value
            for family in text_string_to_metric_families(scraped(of))
            for sample in family.samples
            if "measure" not in sample.labels or sample.labels["measure"] == "cost"
        }
        assert shown["bursar_cost_total"] == shown["bursar_budget_spent"] == 6 + 24 * hour
        assert shown["bursar_cost_total"] + shown["bursar_idle_cost_total"] == 48 * hour


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
