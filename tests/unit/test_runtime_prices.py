"""Commitments, owned hardware, OpenCost and other currencies, over the operator's life."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from bursar.domain.action import WriteStatus
from bursar.domain.budget import BudgetKey
from bursar.domain.rate import Rate
from bursar.domain.time import DAY, HOUR, MINUTE, Ms, format_time, parse_time
from bursar.meter import cost_between
from bursar.report import Rules
from bursar.runtime.answers.inventory import nodes as inventory
from bursar.runtime.answers.reporting import Terms, report_of
from bursar.runtime.cluster.gateway import Gateway
from bursar.runtime.configuring.prometheus import Measured
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod

NANO = 10**9
GPU = BudgetKey(namespace="vision", name="gpu")
NAME = "list/ri"


def commitment(count: int = 1, price: str = "30", start: Ms = T0, days: int = 9) -> dict[str, Any]:
    term = {"start": format_time(start), "end": format_time(start + days * DAY)}
    return {"name": "ri", "count": count, "perHour": price, "term": term}


def booked(*rates: dict[str, Any], name: str = "list", **spec: Any) -> dict[str, Any]:
    made = book(*rates, name=name)
    made["spec"] |= spec
    return made


COMMITTED = booked(flat("48"), commitments=[commitment()])


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(tmp_path / "ledger.db", books=[COMMITTED])
    yield made
    made.close()


def paid_by(op: Operator, name: str, now: Ms) -> tuple[str, int]:
    """The commitment that pays for a node, and what it costs an hour."""
    period = op.nodes.rate(f"uid-{name}", now)
    assert period is not None
    assert isinstance(period.rate, Rate)
    return period.rate.commitment, int(period.rate.total / NANO)


def spent(op: Operator, frm: Ms, to: Ms) -> dict[str, int]:
    """What the ledger has of commitments in a window, in units of the currency."""
    return {
        name: sum(cost_between(row.segment, frm, min(to, row.known)).total for row in rows) // NANO
        for name, rows in op.ledger.reader.commitments().items()
    }


# --- commitments -----------------------------------------------------------------------------


def test_the_oldest_node_holds_it_and_the_next_takes_over_when_it_leaves(op: Operator) -> None:
    for name, hour in (("young", 2), ("old", 1)):
        op.nodes.apply(node(name, created=T0 + hour * HOUR), T0 + 3 * HOUR, deleted=False)
    assert paid_by(op, "old", T0 + 3 * HOUR) == (NAME, 30)
    assert paid_by(op, "young", T0 + 3 * HOUR) == ("", 48)
    op.nodes.apply(node("old", created=T0 + HOUR), T0 + 4 * HOUR, deleted=True)
    assert paid_by(op, "young", T0 + 4 * HOUR - 1) == ("", 48)
    assert paid_by(op, "young", T0 + 4 * HOUR) == (NAME, 30)


def test_nodes_that_are_listed_together_are_judged_together(op: Operator) -> None:
    listed = [node(name, created=T0 + at * MINUTE) for name, at in (("c", 3), ("a", 1), ("b", 2))]
    op.nodes.relist(listed, T0 + HOUR)
    assert [paid_by(op, name, T0 + HOUR)[0] for name in "abc"] == [NAME, "", ""]
    periods = op.world.rates["uid-c"]
    assert {period.rate.commitment for period in periods if isinstance(period.rate, Rate)} == {""}


def test_a_label_that_goes_lets_the_commitment_go(op: Operator) -> None:
    pool = commitment() | {"nodeSelector": {"pool": "ours"}}
    op.price([booked(flat("48"), commitments=[pool])], T0)
    for name in "ab":
        op.nodes.apply(node(name, labels={"pool": "ours"}), T0 + HOUR, deleted=False)
    assert [paid_by(op, name, T0 + HOUR)[0] for name in "ab"] == [NAME, ""]
    op.nodes.apply(node("a"), T0 + 2 * HOUR, deleted=False)
    assert [paid_by(op, name, T0 + 2 * HOUR)[0] for name in "ab"] == ["", NAME]


def test_it_is_paid_for_without_any_node_from_when_it_was_seen(tmp_path: Path) -> None:
    op = Operator.start(tmp_path / "ledger.db", books=[COMMITTED], now=T0 + 5 * HOUR)
    op.checkpoint(T0 + 7 * HOUR)
    assert spent(op, T0, T0 + 9 * HOUR) == {NAME: 60}
    op.nodes.apply(node(created=T0), T0 + 7 * HOUR, deleted=False)
    assert paid_by(op, "gpu-1", T0 + 5 * HOUR - 1) == ("", 48), "nobody had seen it yet"
    assert paid_by(op, "gpu-1", T0 + 5 * HOUR) == (NAME, 30)
    op.close()


def test_a_restart_changes_nothing_and_what_was_edited_meanwhile_counts_from_then(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    op = Operator.start(path, books=[COMMITTED])
    op.nodes.apply(node(), T0, deleted=False)
    op.checkpoint(T0 + HOUR)
    op.close()
    op = Operator.start(path, books=[COMMITTED], now=T0 + 3 * HOUR)
    op.nodes.relist([node()], T0 + 3 * HOUR)
    op.checkpoint(T0 + 4 * HOUR)
    assert len(op.ledger.reader.commitments()[NAME]) == 1
    assert len(op.world.rates["uid-gpu-1"]) == 2, "its term, and what comes after it"
    op.close()
    dearer = booked(flat("48"), commitments=[commitment(count=2, price="31")])
    op = Operator.start(path, books=[dearer], now=T0 + 6 * HOUR)
    op.nodes.relist([node()], T0 + 6 * HOUR)
    op.checkpoint(T0 + 8 * HOUR)
    assert spent(op, T0, T0 + 8 * HOUR) == {NAME: 6 * 30 + 2 * 2 * 31}
    assert paid_by(op, "gpu-1", T0 + 6 * HOUR - 1) == (NAME, 30)
    assert paid_by(op, "gpu-1", T0 + 6 * HOUR) == (NAME, 31)
    op.close()


def test_one_that_is_taken_away_ends_and_may_come_back(op: Operator) -> None:
    op.nodes.apply(node(), T0, deleted=False)
    op.price([booked(flat("48"))], T0 + 2 * HOUR)
    assert paid_by(op, "gpu-1", T0 + 2 * HOUR) == ("", 48)
    op.checkpoint(T0 + 5 * HOUR)
    op.price([COMMITTED], T0 + 6 * HOUR)
    op.checkpoint(T0 + 7 * HOUR)
    assert spent(op, T0, T0 + 9 * HOUR) == {NAME: 3 * 30}
    assert paid_by(op, "gpu-1", T0 + 5 * HOUR) == ("", 48)
    assert paid_by(op, "gpu-1", T0 + 6 * HOUR) == (NAME, 30)


def test_a_pod_pays_by_the_commitment_of_its_node(op: Operator) -> None:
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0), T0)
    assert op.spent(GPU, T0 + HOUR) == cost(30 * NANO, 4, 8, HOUR)


class Api:
    """An API server that has some price books, and nothing else."""

    def __init__(self, *books: dict[str, Any]) -> None:
        self.books = list(books)

    async def collection(self, path: str) -> tuple[list[dict[str, Any]], str]:
        return (self.books if path.endswith("/pricebooks") else []), "1"

    async def find(self, path: str) -> None:
        return None


async def test_books_are_taken_up_together_at_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(T0 + HOUR)
    monkeypatch.setattr("bursar.runtime.clock.now", lambda: next(ticks))
    every = [booked(flat("7", accelerator="t4-16gb"), name="a"), COMMITTED]
    op = Operator.start(tmp_path / "ledger.db", books=every)
    op.nodes.apply(node(), T0, deleted=False)
    before = op.world.rates["uid-gpu-1"]
    controller = op.controller()
    controller.gateway = cast("Gateway", Api(*every))
    await controller.load()
    assert op.world.rates["uid-gpu-1"] == before, "at no moment was there only the first book"
    op.close()


# --- owned hardware and utilization ----------------------------------------------------------

OWN = {
    "name": "own",
    "purchasePrice": "7440",  # 10 an hour in a month of 744 hours
    "depreciationMonths": 1,
    "inServiceFrom": "2026-10-01T00:00:00Z",
}


def owned(**more: Any) -> dict[str, Any]:
    months = {"purchasePrice": "720000", "depreciationMonths": 100}
    return booked(ownedHardware=[OWN | months | more])


def test_pods_pay_more_than_the_plain_rate_where_devices_are_expected_to_idle(
    op: Operator,
) -> None:
    op.price([owned(expectedUtilization="0.5"), booked(cpuMemoryShare="0.2", name="b")], T0)
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0, gpus=2), T0)
    period = op.nodes.rate("uid-gpu-1", T0)
    assert period is not None
    assert isinstance(period.rate, Rate)
    plain = period.rate.total * Fraction(8, 10) / 4
    assert op.spent(GPU, T0 + HOUR) == (plain * 2).__floor__()
    assert op.world.standings[GPU].cost_per_hour == plain * 2
    (shown,) = inventory(op.controller(), "USD", T0, None)["nodes"]
    hourly = {key: Fraction(shown[key]) * NANO for key in shown if key.endswith("PerHour")}
    assert hourly["costPerHour"] == pytest.approx(period.rate.total, abs=1)
    assert hourly["allocatedCostPerHour"] == pytest.approx(plain * 2, abs=1)
    assert hourly["idleCostPerHour"] == pytest.approx(plain * 3, abs=1)


def test_a_node_that_a_book_calls_owned_is_bought_so_until_it_no_longer_does(
    op: Operator,
) -> None:
    op.nodes.apply(node(), T0, deleted=False)
    assert op.world.nodes["uid-gpu-1"].capacity_type == "unknown"
    op.price([owned()], T0 + HOUR)
    assert op.world.nodes["uid-gpu-1"].capacity_type == "owned"
    op.nodes.apply(node(labels={"a": "b"}), T0 + HOUR, deleted=False)
    assert op.world.nodes["uid-gpu-1"].capacity_type == "owned"
    op.price([], T0 + 2 * HOUR)
    assert op.world.nodes["uid-gpu-1"].capacity_type == "unknown"


def test_a_new_price_counts_in_reports_before_the_watch_is_heard_of_again(op: Operator) -> None:
    op.price([booked(flat("48"))], T0)
    op.nodes.apply(node(), T0, deleted=False)
    op.see(pod(bound=T0), T0)
    op.accounts.seen_until = lambda _: T0
    op.price([booked(flat("24"))], T0 + HOUR)
    op.price([booked(flat("12"), cpuMemoryShare="0.5")], T0 + 2 * HOUR)
    op.checkpoint(T0 + 3 * HOUR)
    terms = Terms(rules=Rules(currency="USD"))
    for hours, expected in ((1, 24), (2, 36), (3, 39)):
        query = {"from": format_time(T0), "to": format_time(T0 + hours * HOUR)}
        found = report_of(op.ledger.reader, query, terms, T0 + 3 * HOUR)
        assert [row["cost"] for row in found["rows"]] == [f"{expected}.000000000"]
        assert found["idle"]["cost"] == f"{expected}.000000000"


# --- OpenCost --------------------------------------------------------------------------------


def measured(price: str, instance_type: str = "p5.48xlarge") -> dict[str, Measured]:
    return {"gpu-1": Measured(price=price, instance_type=instance_type)}


@pytest.fixture
def opencost(tmp_path: Path) -> Iterator[Operator]:
    made = Operator.start(tmp_path / "ledger.db")
    made.prices.opencost = True
    made.nodes.apply(node(), T0, deleted=False)
    yield made
    made.close()


def hourly(op: Operator, now: Ms) -> tuple[float, str]:
    period = op.nodes.rate("uid-gpu-1", now)
    assert period is not None
    assert isinstance(period.rate, Rate)
    return float(period.rate.total / NANO), period.rate.origin.split()[0]


def test_what_opencost_says_counts_from_then_on_and_stays_while_it_says_nothing(
    opencost: Operator,
) -> None:
    opencost.nodes.measured(measured("40"), T0 + HOUR)
    opencost.nodes.measured({}, T0 + 2 * HOUR)
    opencost.nodes.apply(node(labels={"a": "b"}), T0 + 2 * HOUR, deleted=False)
    assert hourly(opencost, T0 + HOUR - 1) == (55.04, "catalog")
    assert hourly(opencost, T0 + 9 * HOUR) == (40, "OpenCost")
    opencost.nodes.measured(measured("41"), T0 + 3 * HOUR)
    assert hourly(opencost, T0 + 3 * HOUR) == (41, "OpenCost")


def test_it_stays_over_a_restart_and_goes_where_opencost_is_no_longer_asked(
    opencost: Operator, tmp_path: Path
) -> None:
    opencost.nodes.measured(measured("40"), T0 + HOUR)
    opencost.prices.opencost = True
    opencost.nodes.restore()
    opencost.nodes.reprice(T0 + 2 * HOUR)
    assert hourly(opencost, T0 + 2 * HOUR) == (40, "OpenCost")
    opencost.prices.opencost = False
    opencost.nodes.restore()
    opencost.nodes.reprice(T0 + 3 * HOUR)
    assert hourly(opencost, T0 + 2 * HOUR) == (40, "OpenCost")
    assert hourly(opencost, T0 + 3 * HOUR) == (55.04, "catalog")


@pytest.mark.parametrize(
    ("prices", "source"),
    [
        pytest.param(measured("40"), "OpenCost", id="of this node"),
        pytest.param(measured("40", ""), "OpenCost", id="of a node whose type is not said"),
        pytest.param(measured("40", "m7i.large"), "catalog", id="of another node of that name"),
        pytest.param(
            {"other": Measured(price="40", instance_type="")}, "catalog", id="of a node unheard of"
        ),
    ],
)
def test_a_price_is_taken_for_the_node_that_is_meant(
    opencost: Operator, prices: dict[str, Measured], source: str
) -> None:
    opencost.nodes.measured(prices, T0 + HOUR)
    assert hourly(opencost, T0 + HOUR)[1] == source


def test_a_correction_of_the_past_leaves_what_opencost_said_then(opencost: Operator) -> None:
    opencost.nodes.measured(measured("40"), T0 + HOUR)
    opencost.nodes.measured(measured("41"), T0 + 2 * HOUR)
    assert opencost.nodes.corrected(T0 + HOUR, T0 + 3 * HOUR) == {}
    half = flat("50", validFrom=format_time(T0 + 2 * HOUR))
    opencost.price([booked(half)], T0 + 4 * HOUR)
    (periods,) = opencost.nodes.corrected(T0 + HOUR, T0 + 3 * HOUR).values()
    assert [
        (period.since - T0, int(period.rate.total / NANO))
        for period in periods
        if isinstance(period.rate, Rate)
    ] == [(0, 55), (HOUR, 40), (2 * HOUR, 50), (3 * HOUR, 41), (4 * HOUR, 50)]


def test_a_correction_of_the_past_pays_by_a_commitment_from_when_it_was_seen(
    op: Operator,
) -> None:
    op.price([booked(flat("48"))], T0)
    op.nodes.apply(node(), T0, deleted=False)
    early = commitment(start=T0 - DAY)
    op.price([booked(flat("48"), commitments=[early])], T0 + 2 * HOUR)
    assert op.nodes.corrected(T0, T0 + 3 * HOUR) == {}


def test_how_a_price_was_found_can_be_asked_of_a_node(op: Operator) -> None:
    op.nodes.apply(node(), T0, deleted=False)
    found = op.nodes.trace(op.world.nodes["uid-gpu-1"], T0)
    assert [each.outcome for each in found if each.found] == [
        "30.000000 USD an hour, PriceBook list/ri (commitment)"
    ] * 2


# --- a budget in another currency -----------------------------------------------------------


def exchange(*rates: tuple[Ms, str]) -> dict[str, Any]:
    entries = [
        {"currency": "EUR", "rate": rate, "validFrom": format_time(since)} for since, rate in rates
    ]
    return booked(flat("48"), exchangeRates=entries)


HALF = cost(48 * NANO, 4, 8, HOUR)
"""What the test's pod spends in an hour, in the reporting currency."""


@pytest.fixture
def euros(tmp_path: Path) -> Iterator[Operator]:
    rates = exchange((T0 - DAY, "1.25"), (T0 + 2 * HOUR, "2"))
    made = Operator.start(tmp_path / "ledger.db", books=[rates])
    made.nodes.apply(node(), T0, deleted=False)
    made.budgets.apply(budget(currency="EUR", limits={"cost": "100"}), T0, gone=False)
    yield made
    made.close()


def test_each_hour_is_converted_by_its_own_rate_while_a_pod_runs_and_when_it_has_ended(
    euros: Operator,
) -> None:
    euros.see(pod(bound=T0), T0)
    assert euros.spent(GPU, T0 + HOUR) == HALF * 4 // 5
    assert euros.spent(GPU, T0 + 3 * HOUR) == 2 * HALF * 4 // 5 + HALF // 2
    assert euros.world.standings[GPU].cost_per_hour == Fraction(HALF, 2)
    euros.see(pod(bound=T0, finished=T0 + 3 * HOUR), T0 + 3 * HOUR)
    expected = 2 * HALF * 4 // 5 + HALF // 2
    assert euros.spent(GPU, T0 + 4 * HOUR) == expected
    euros.checkpoint(T0 + 4 * HOUR)
    euros.purses.recount(euros.world.budgets[GPU], T0 + 4 * HOUR)
    assert euros.spent(GPU, T0 + 4 * HOUR) == expected
    assert euros.world.standings[GPU].unknown == ()


def test_a_rate_to_come_is_foreseen(euros: Operator) -> None:
    euros.budgets.apply(budget(currency="EUR", limits={"cost": "50"}, generation=2), T0, gone=False)
    euros.see(pod(bound=T0), T0)
    # 24 USD an hour: 19.20 EUR an hour for two hours, then 12 EUR an hour.
    assert euros.spent(GPU, T0) == 0
    left = Fraction("50") - Fraction("38.4")
    when = T0 + 2 * HOUR + int(left / 12 * HOUR) // 1000 * 1000
    assert euros.world.standings[GPU].exhausted_at == when


def test_an_edited_exchange_rate_counts_for_the_times_that_it_names(euros: Operator) -> None:
    euros.see(pod(bound=T0, finished=T0 + HOUR), T0 + HOUR)
    assert euros.spent(GPU, T0 + HOUR) == HALF * 4 // 5
    euros.price([exchange((T0 - DAY, "1"))], T0 + 2 * HOUR)
    assert euros.spent(GPU, T0 + 2 * HOUR) == HALF


def test_without_an_exchange_rate_money_is_in_doubt_and_hours_are_counted(
    euros: Operator,
) -> None:
    euros.price([booked(flat("48"))], T0)
    euros.see(pod(bound=T0, finished=T0 + HOUR), T0 + HOUR)
    assert euros.spent(GPU, T0 + HOUR) == 0
    standing = euros.world.standings[GPU]
    assert standing.spent.gpu_ms == 4 * HOUR
    assert "what EUR is worth" in standing.unknown[0]


def test_a_new_period_is_converted_like_the_last(euros: Operator) -> None:
    euros.see(pod(bound=T0), T0)
    euros.spent(GPU, T0 + HOUR)
    tomorrow = euros.world.standings[GPU].span.end
    assert tomorrow is not None
    assert euros.spent(GPU, tomorrow + HOUR) == HALF // 2


# --- the catalog's age -----------------------------------------------------------------------


def told(op: Operator, name: str) -> dict[str, Any] | None:
    """A condition of the test's budget, as it would be written."""
    op.budgets.touch_all()
    written = [each for each in op.budgets.assess(T0 + HOUR) if isinstance(each, WriteStatus)]
    (status,) = [each.status for each in written]
    return next((each for each in status["conditions"] if each["type"] == name), None)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param([], "False", id="where a pod has a list price"),
        pytest.param([flat("48")], None, id="but not where a book prices all that counts"),
    ],
)
def test_a_budget_says_that_the_catalog_is_stale(
    tmp_path: Path, rates: list[dict[str, Any]], expected: str | None
) -> None:
    op = Operator.start(tmp_path / "ledger.db", books=[booked(*rates)])
    op.nodes.apply(node(), T0, deleted=False)
    op.budgets.apply(budget(), T0, gone=False)
    op.see(pod(bound=T0), T0)
    assert told(op, "CatalogCurrent") is None
    op.budgets.stale_catalog = "too old"
    found = told(op, "CatalogCurrent")
    assert (found and found["status"]) == expected
    op.close()


def test_the_catalog_is_stale_at_the_age_that_is_set(op: Operator) -> None:
    released = parse_time("2026-10-04T00:00:00Z")
    assert released is not None
    op.prices.stale_days = 30
    assert op.nodes.catalog(released + 30 * DAY - 1)[0]
    current, said = op.nodes.catalog(released + 30 * DAY)
    assert not current
    assert "2026-10-04" in said
    assert "30 days" in said
