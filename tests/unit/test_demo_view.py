"""What the demo's picture shows of one object, and that it says nothing where it knows nothing."""

from typing import Any

from bursar.cli.demo.view import Snapshot, budget_row, pod_row

NOW = "2026-11-24T10:00:00Z"

BUDGET: dict[str, Any] = {
    "metadata": {"namespace": "vision", "name": "vision"},
    "status": {
        "summary": {"limit": "16 USD", "spent": "6.40 USD", "used": "40%"},
        "burnRate": {"costPerHour": "1651.200000"},
        "held": 0,
        "admission": [
            {"class": "*", "closesAt": "2026-12-01T00:00:34Z", "reopensAt": "2027-01-01T00:00:00Z"},
            {"class": "*", "closesAt": "2026-11-24T10:00:15Z", "reopensAt": "2026-12-01T00:00:00Z"},
        ],
    },
}


def test_a_budget_shows_its_next_closing_as_a_time_of_day() -> None:
    expected = ("vision", "vision", "16 USD", "6.40", "40%", "1651.20", "10:00:15Z", "0")
    assert budget_row(BUDGET, NOW) == expected


def test_a_budget_that_closes_another_day_shows_the_day() -> None:
    assert budget_row(BUDGET, "2026-11-23T10:00:00Z")[6] == "2026-11-24"


def test_a_shut_budget_says_so() -> None:
    assert budget_row(BUDGET, "2026-11-24T10:00:15Z")[6] == "is shut"


def test_a_budget_without_a_status_shows_blanks_and_no_zero() -> None:
    bare = {"metadata": {"name": "company"}}
    assert budget_row(bare, NOW) == ("(cluster)", "company", "", "", "", "", "", "")


def test_a_pod_without_labels_shows_dashes() -> None:
    bare = {"metadata": {"namespace": "a", "name": "b"}, "status": {}}
    assert pod_row(bare) == ("a", "b", "-", "-", "-", "-")


def test_a_line_says_that_no_operator_answers_rather_than_that_nothing_was_spent() -> None:
    row = budget_row(BUDGET, NOW)
    shown = Snapshot(clock=NOW, pods=(), budgets=(row,), cost=None, idle=None).line()
    assert shown == ("0 pods; vision 6.40/16 USD (shuts 10:00:15Z); /metrics: no operator answers")
