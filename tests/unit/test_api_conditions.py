"""How a condition is set beside others."""

from typing import Any

import pytest

from bursar.api.conditions import find_condition, remove_condition, set_condition

NOON = 1_795_521_600_000  # 2026-11-24T12:00:00Z
MORNING = "2026-11-24T08:00:00Z"
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Evaluated",
    "message": "fine",
    "lastTransitionTime": MORNING,
}
PRICED = {**READY, "type": "Priced"}


@pytest.mark.parametrize(
    ("status", "since"),
    [
        pytest.param("True", MORNING, id="an unchanged status keeps its transition time"),
        pytest.param("False", "2026-11-24T12:00:00Z", id="a changed status moves it"),
        pytest.param("Unknown", "2026-11-24T12:00:00Z", id="Unknown is a change too"),
    ],
)
def test_transition_time(status: Any, since: str) -> None:
    before = [dict(READY), dict(PRICED)]
    after = set_condition(
        before, "Ready", status, reason="Other", message="new", now_ms=NOON, observed_generation=3
    )
    assert after == [
        {
            "type": "Ready",
            "status": status,
            "reason": "Other",
            "message": "new",
            "lastTransitionTime": since,
            "observedGeneration": 3,
        },
        PRICED,
    ]
    assert before == [READY, PRICED], "the argument was changed"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"type": "Ready", "status": "True"}, id="an entry without a time gets one"),
        pytest.param("Ready", id="an entry that is no mapping is dropped"),
        pytest.param(None, id="null is dropped"),
        pytest.param({}, id="an empty entry stays beside it"),
    ],
)
def test_odd_entries_never_raise(odd: object) -> None:
    after = set_condition([odd], "Ready", "True", reason="Evaluated", message="", now_ms=NOON)
    ready = find_condition(after, "Ready")
    assert ready is not None
    assert ready["lastTransitionTime"] == "2026-11-24T12:00:00Z"
    assert "observedGeneration" not in ready


def test_a_new_type_comes_last() -> None:
    after = set_condition([READY], "Priced", "True", reason="A", message="", now_ms=NOON)
    assert [each["type"] for each in after] == ["Ready", "Priced"]


def test_an_enormous_message_is_cut_to_what_the_api_takes() -> None:
    (ready,) = set_condition([], "Ready", "True", reason="A", message="x" * 50_000, now_ms=NOON)
    assert len(ready["message"]) == 32_768


def test_a_removed_type_is_gone_and_others_stay() -> None:
    assert remove_condition([READY, PRICED, "odd"], "Ready") == [PRICED]
    assert find_condition([READY], "Priced") is None
