"""What the operator does to its ledger when accountants ask: it and what they see stay one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR
from bursar.runtime.answers.office import Office
from bursar.runtime.answers.refused import Refused
from bursar.runtime.counting.series import USAGE
from bursar.runtime.counting.totals import CORRECTED
from bursar.runtime.http import Question
from support.runtime import T0, Operator, book, budget, flat, node, pod

NOW = T0 + 4 * HOUR
KEY = BudgetKey(namespace="vision", name="gpu")
NANO = 10**9
DAY = {"from": "2026-11-24", "to": "2026-11-25"}


@pytest.fixture(autouse=True)
def four_hours_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bursar.runtime.clock.now", lambda: NOW)


@pytest.fixture
def op(tmp_path: Path) -> Iterator[Operator]:
    """A node of eight at 48 an hour; one pod with two of them ended, one with four goes on."""
    made = Operator.start(
        tmp_path / "l.db",
        books=[book(flat("48"))],
        budgets=[budget()],
        namespaces={"vision": {}},
    )
    made.nodes.apply(node(), T0, deleted=False)
    made.see(pod("short", bound=T0, finished=T0 + HOUR, gpus=2), T0 + HOUR)
    made.see(pod("long", bound=T0 + HOUR, gpus=4), T0 + HOUR)
    yield made
    made.close()


async def ask(op: Operator, name: str, **query: str) -> Any:
    office = Office(op.controller(), "USD", op.ledger.url)
    return await office.pages[f"ledger-{name}"](Question(query=query))


async def test_budgets_and_what_goes_on_follow_a_corrected_past(op: Operator) -> None:
    assert op.spent(KEY, NOW) == (12 + 3 * 24) * NANO
    # The price was 24 all the time, says the contract that somebody finds now.
    op.price([book(flat("24"))], NOW)
    assert op.spent(KEY, NOW) == (12 + 3 * 24) * NANO
    told = await ask(op, "rerate", **DAY, preview="true")
    assert told["namespaces"] == [
        {
            "namespace": "vision",
            "count": 2,
            "before": "84.000000000",
            "after": "42.000000000",
            "difference": "-42.000000000",
        }
    ]
    assert op.spent(KEY, NOW) == (12 + 3 * 24) * NANO
    told = await ask(op, "rerate", **DAY, reason="contract 4711")
    assert told["reference"] == "rerate-2026-11-24T12:00:00Z"
    assert op.spent(KEY, NOW) == (6 + 3 * 12) * NANO
    assert op.spent(KEY, NOW + HOUR) == (6 + 4 * 12) * NANO
    roster = op.accounts.totals.roster.of(USAGE)
    assert sum(series.marks.get(CORRECTED, 0) for series in roster) >= 6 * NANO
    op.checkpoint(NOW + HOUR)
    assert (await ask(op, "verify"))["different"] == 0


async def test_what_was_corrected_survives_a_restart(op: Operator, tmp_path: Path) -> None:
    op.price([book(flat("24"))], NOW)
    await ask(op, "rerate", **DAY)
    op.checkpoint(NOW)
    op.close()
    anew = Operator.start(
        tmp_path / "l.db",
        books=[book(flat("24"))],
        budgets=[budget()],
        namespaces={"vision": {}},
        now=NOW,
    )
    anew.nodes.apply(node(), NOW, deleted=False)
    anew.see(pod("long", bound=T0 + HOUR, finished=T0 + 5 * HOUR, gpus=4), T0 + 5 * HOUR)
    assert anew.spent(KEY, T0 + 5 * HOUR) == (6 + 4 * 12) * NANO
    assert (await ask(anew, "verify"))["different"] == 0
    op.ledger = anew.ledger


async def test_a_past_that_was_right_is_left_alone(op: Operator) -> None:
    told = await ask(op, "rerate", **DAY)
    assert (told["namespaces"], told["nodes"]["count"]) == ([], 0)


async def test_the_future_is_not_re_rated(op: Operator) -> None:
    with pytest.raises(Refused, match="only the past is re-rated"):
        await ask(op, "rerate", **{"from": "2026-11-25", "to": "2026-11-26"})


async def test_a_month_is_closed_in_the_name_of_whose_token_it_is(op: Operator) -> None:
    op.see_version(9, NOW)
    office = Office(op.controller(), "USD", op.ledger.url)
    question = Question(query={"month": "2026-10"}, who="ann")
    found = await office.pages["ledger-close"](question)
    assert (found["by"], found["already"]) == ("ann", False)
    assert (await ask(op, "close", month="2026-10"))["already"]
    assert [each["by"] for each in (await ask(op, "months"))["months"]] == ["ann"]
    with pytest.raises(Refused, match="parameter month is missing"):
        await ask(op, "close")


async def test_a_copy_is_a_file_that_whoever_sends_it_removes(op: Operator) -> None:
    found = await ask(op, "backup")
    assert found.path.stat().st_size == found.size > 0
    found.path.unlink()
