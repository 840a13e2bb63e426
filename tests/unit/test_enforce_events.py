"""Events about budgets: each crossing once, and sleep."""

from typing import Any

from bursar.budget.remember import remember, remembered
from bursar.budget.standing import standing
from bursar.domain.action import Mode, ObjectRef
from bursar.domain.budget import Budget, Remembered, Standing
from bursar.domain.classification import WorkloadClass
from bursar.enforce.conditions import Circumstances
from bursar.enforce.events import crossing_events, sleep_events
from bursar.enforce.status import status
from support.purses import EXAMPLE, EXAMPLE_FLOWS, EXAMPLE_SPENT, NOW, at, flow, purse, spent

OTHER = WorkloadClass.OTHER
REF = ObjectRef(
    api_version="bursar.dev/v1alpha1", kind="AIBudget", namespace="vision", name="vision", uid="u"
)
ENFORCING = Circumstances(mode=Mode.ENFORCE)


def stand(budget: Budget, cost: str, now: int = NOW) -> Standing:
    return standing(budget, {OTHER: spent(cost)}, (flow(OTHER, "1"),), now, Remembered())


def test_a_crossing_says_what_is_reached_and_what_comes_next() -> None:
    budget = purse(**EXAMPLE)
    found = standing(budget, EXAMPLE_SPENT, EXAMPLE_FLOWS, NOW, Remembered())
    outlook = "if what runs goes on running, training closes on 26 Nov 04:02 (Europe/Berlin)"
    assert [each.message for each in crossing_events(REF, budget, Remembered(), found)] == [
        f"AIBudget vision: 80 % of $12,000 is reached; {outlook}",
        f"AIBudget vision: 80 % of $8,000 for training is reached; {outlook}",
    ]


def test_a_crossing_is_told_once_and_again_in_the_next_period() -> None:
    budget = purse()
    first = stand(budget, "9600")
    assert len(crossing_events(REF, budget, Remembered(), first)) == 1
    assert crossing_events(REF, budget, remember(budget, first), stand(budget, "9700")) == ()
    next_month = stand(budget, "9600", at("2026-12-31T00:00:00Z"))
    assert len(crossing_events(REF, budget, remember(budget, first), next_month)) == 1


def test_a_crossing_is_not_told_again_after_a_restart() -> None:
    budget = purse()
    first = stand(budget, "9600")
    written = status(budget, first, None, ENFORCING)
    assert crossing_events(REF, budget, remembered(budget, written), first) == ()


def test_a_threshold_without_notify_is_not_told_of() -> None:
    budget = purse(thresholds=[{"percent": 50, "actions": ["Warn", "Hold"]}])
    assert crossing_events(REF, budget, Remembered(), stand(budget, "9600")) == ()


def test_falling_asleep_and_waking_are_told_once_each() -> None:
    def written(**spec: Any) -> dict[str, Any]:
        budget = purse(**spec)
        return status(budget, stand(budget, "1"), None, ENFORCING)

    awake, asleep = written(), written(suspendUntil="2026-11-25T00:00:00Z")
    (falling,) = sleep_events(REF, awake, asleep)
    assert falling.message == "enforcement is asleep until 25 Nov 00:00 (UTC)"
    assert falling.event_type == "Warning"
    (waking,) = sleep_events(REF, asleep, awake)
    assert waking.message == "enforcement is awake"
    assert sleep_events(REF, asleep, asleep) == ()
    assert sleep_events(REF, None, awake) == ()
