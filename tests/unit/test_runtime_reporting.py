"""Reports as people ask for them, from a ledger with or without an operator."""

from decimal import Decimal
from pathlib import Path

import pytest

from bursar.domain.time import HOUR
from bursar.errors import BursarError
from bursar.report import Rules
from bursar.runtime.answers.reporting import Terms, report_of, report_of_ledger
from support.runtime import CLUSTER, T0, Operator, book, flat, node, pod

DAY = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
NOW = T0 + 4 * HOUR
TERMS = Terms(rules=Rules(currency="USD"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A day on which two pods ended and one runs, up to the fourth hour."""
    found = tmp_path / "ledger.db"
    op = Operator.start(found, books=[book(flat("48"))])
    op.nodes.apply(node(), T0, deleted=False)
    op.see(pod("one", bound=T0, finished=T0 + HOUR, gpus=2), T0 + HOUR)
    op.see(pod("two", namespace="nlp", bound=T0, finished=T0 + 2 * HOUR, gpus=1), T0 + 2 * HOUR)
    op.see(pod("runs", bound=T0), T0, version=7)
    op.checkpoint(NOW)
    op.see_version(8, NOW)
    op.close()
    return found


def asked(path: Path, now: int = NOW, **query: str) -> dict[str, object]:
    return report_of_ledger(str(path), CLUSTER, {**DAY, **query}, now)


def costs(report: dict[str, object], key: str) -> dict[str, str]:
    return {row["key"][key]: row["cost"] for row in report["rows"]}  # type: ignore[attr-defined,index]


def test_costs_by_namespace(path: Path) -> None:
    found = asked(path, by="namespace")
    assert costs(found, "namespace") == {"vision": "108.000000000", "nlp": "12.000000000"}
    assert found["currency"] == "USD"


def test_what_pods_cost_and_what_idled_is_what_the_node_cost(path: Path) -> None:
    found = asked(path, by="namespace")
    assert sum(Decimal(cost) for cost in costs(found, "namespace").values()) == 120
    assert found["idle"]["cost"] == "72.000000000"  # type: ignore[index]
    assert found["total"]["cost"] == "192.000000000"  # type: ignore[index]


def test_without_an_operator_it_counts_as_far_as_was_written(path: Path) -> None:
    assert asked(path, NOW + 10 * HOUR, by="namespace") == asked(path, NOW, by="namespace")


def test_a_window_cuts(path: Path) -> None:
    found = asked(path, by="namespace", to="2026-11-24T09:00:00Z")
    assert costs(found, "namespace") == {"vision": "36.000000000", "nlp": "6.000000000"}


def test_by_namespace_and_class_where_nothing_is_asked(path: Path) -> None:
    assert asked(path)["by"] == ["namespace", "class"]


@pytest.mark.parametrize(
    "query",
    [{"by": "shoe size"}, {"from": "yesterday"}, {"month": "2026-13"}],
    ids=["an unknown key", "no moment", "no month"],
)
def test_what_cannot_be_read_is_refused_in_a_line(path: Path, query: dict[str, str]) -> None:
    with pytest.raises(BursarError) as found:
        asked(path, **query)
    assert "\n" not in str(found.value)


def test_an_absent_ledger_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BursarError, match=r"no\.db"):
        asked(tmp_path / "no.db")


def test_a_running_operator_tells_up_to_this_moment(tmp_path: Path) -> None:
    op = Operator.start(tmp_path / "l.db", books=[book(flat("48"))])
    op.nodes.apply(node(), T0, deleted=False)
    op.see(pod("runs", bound=T0), T0)
    found = report_of(op.ledger.reader, {**DAY, "by": "namespace"}, TERMS, T0 + HOUR)
    assert costs(found, "namespace") == {"vision": "24.000000000"}
    op.close()
