"""Which Jobs `bursar release-all` lets go on, in which order, and which it leaves alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bursar.cli.release import Finding, held_by, in_order, judge, suspenders

HELD = {"bursar.dev/held": "AIBudget vision"}
_uids = itertools.count()


def manager(name: str, *fields: str) -> dict[str, Any]:
    spec = {f"f:{field}": {} for field in fields}
    return {"manager": name, "operation": "Update", "fieldsV1": {"f:spec": spec}}


def job(
    *managers: dict[str, Any],
    annotations: Any = HELD,
    suspend: Any = True,
    created: str = "2026-11-24T10:00:00Z",
    name: str = "j",
    priority_class: str | None = None,
) -> dict[str, Any]:
    pod = {} if priority_class is None else {"priorityClassName": priority_class}
    return {
        "metadata": {
            "name": name,
            "uid": f"{next(_uids):06d}",
            "creationTimestamp": created,
            "annotations": annotations,
            "managedFields": list(managers),
        },
        "spec": {"suspend": suspend, "template": {"spec": pod}},
    }


BY_US = manager("bursar", "suspend")
MADE = manager("kubectl-create", "template", "completions")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param(job(MADE, BY_US), Finding.RESUME, id="what Bursar suspended is resumed"),
        pytest.param(job(), Finding.RESUME, id="so it is where nobody's fields are recorded"),
        pytest.param(
            job(MADE, BY_US, suspend=False),
            Finding.FORGET,
            id="of what was started meanwhile only the note is removed",
        ),
        pytest.param(
            job(MADE, manager("kubectl-patch", "suspend")),
            Finding.OWNER,
            id="what its owner suspended again after the hold is left alone",
        ),
        pytest.param(
            job(BY_US, manager("argocd", "suspend")),
            Finding.OWNER,
            id="what its owner wants suspended, too, is left alone",
        ),
        pytest.param(
            job(MADE, annotations={}), None, id="without the note it is none of Bursar's business"
        ),
        pytest.param(
            job(BY_US, annotations={"bursar.dev/held": ""}), None, id="an empty note is none"
        ),
        pytest.param(job(annotations={"bursar.dev/held": 7}), None, id="a note that is no text"),
        pytest.param(job(annotations=["x"]), None, id="annotations that are no map"),
        pytest.param({}, None, id="nothing at all"),
        pytest.param({"metadata": None, "spec": 3}, None, id="fields of the wrong type"),
        pytest.param(job(BY_US, suspend="yes"), Finding.FORGET, id="a suspend that is no boolean"),
    ],
)
def test_a_job(given: dict[str, Any], found: Finding | None) -> None:
    assert judge(given) is found


def test_managers_are_read_from_whatever_is_there() -> None:
    odd = {"metadata": {"managedFields": ["x", None, {"fieldsV1": 3}, {"manager": 5, **MADE}]}}
    assert suspenders(odd) == set()
    assert suspenders({"metadata": {"managedFields": "x"}}) == set()
    assert suspenders(job(BY_US, manager("a", "suspend"))) == {"bursar", "a"}


def test_what_it_was_held_for_is_what_the_note_says() -> None:
    assert held_by(job()) == "AIBudget vision"


def test_the_highest_priority_goes_first_then_the_oldest() -> None:
    jobs = [
        job(name="young", created="2026-11-24T12:00:00Z"),
        job(name="old", created="2026-11-24T09:00:00Z"),
        job(name="low", priority_class="low", created="2026-11-20T00:00:00Z"),
        job(name="high", priority_class="high", created="2026-11-24T13:00:00Z"),
        job(name="unheard of", priority_class="gone", created="2026-11-24T08:00:00Z"),
    ]
    ordered = [each["metadata"]["name"] for each in in_order(jobs, {"high": 10, "low": -5, "": 1})]
    assert ordered == ["high", "unheard of", "old", "young", "low"]
