"""Whose cost a pod is: precedence, keys, legal values."""

import re

import pytest

from bursar.allocate import FIELDS, SOURCE_KEYS, allocate
from bursar.domain.allocation import UNALLOCATED, Allocation
from bursar.domain.label import legal_label_value
from bursar.domain.workload import Owner

LEGAL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
BUDGET = Allocation(team="from-budget", project="p", sources=(("team", "AIBudget b"),))


def owner(**labels: str) -> Owner:
    return Owner(
        api_version="batch/v1", kind="Job", namespace="n", name="j", uid="u", labels=labels
    )


@pytest.mark.parametrize(
    ("pod", "owners", "namespace", "budget", "team", "source"),
    [
        ({"team": "a"}, (owner(team="b"),), {"team": "c"}, BUDGET, "a", "pod"),
        ({}, (owner(team="b"),), {"team": "c"}, BUDGET, "b", "owner Job/j"),
        ({}, (owner(), owner(team="b")), {"team": "c"}, None, "b", "owner Job/j"),
        ({}, (owner(),), {"team": "c"}, BUDGET, "c", "namespace"),
        ({}, (), {}, BUDGET, "from-budget", "AIBudget b"),
        ({}, (), {}, None, UNALLOCATED, None),
        ({"team": ""}, (), {"team": "c"}, None, "c", "namespace"),
        ({"bursar.dev/team": "x"}, (), {"bursar.dev/team": "c"}, None, "c", "namespace"),
        ({}, (), {"bursar.dev/team": "a", "team": "b"}, None, "a", "namespace"),
        ({"app.kubernetes.io/part-of": "b"}, (), {}, None, "b", "pod"),
    ],
    ids=[
        "the pod before all others",
        "then its owner",
        "then the owner's owner",
        "then the namespace",
        "then the budget",
        "else unallocated",
        "an empty value says nothing",
        "our own label on a pod is our verdict and no evidence",
        "our own label before the usual ones",
        "the recommended labels of Kubernetes",
    ],
)
def test_the_first_that_says_so_pays(
    pod: dict[str, str],
    owners: tuple[Owner, ...],
    namespace: dict[str, str],
    budget: Allocation | None,
    team: str,
    source: str | None,
) -> None:
    found = allocate(pod, owners, namespace, budget)
    assert found.team == team
    assert dict(found.sources).get("team") == source


def test_fields_are_decided_each_by_itself() -> None:
    found = allocate({"team": "a"}, (), {"env": "prod", "costcenter": "12"}, BUDGET)
    assert (found.team, found.cost_center, found.project, found.environment) == (
        "a",
        "12",
        "p",
        "prod",
    )
    assert [name for name, _ in found.sources] == list(FIELDS)


def test_keys_can_be_configured() -> None:
    found = allocate({"squad": "a", "team": "b"}, (), {}, None, {"team": ("squad",)})
    assert found == Allocation(team="a", sources=(("team", "pod"),))


def test_a_budget_that_says_unallocated_says_nothing() -> None:
    assert allocate({}, (), {}, Allocation()) == Allocation()


def test_every_field_has_keys() -> None:
    assert set(SOURCE_KEYS) == set(FIELDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("team-a", "team-a"),
        ("", ""),
        ("meta-llama/Llama-3.1-8B", "meta-llama_Llama-3.1-8B"),
        ("  spaces  ", "spaces"),
        ("---", ""),
        ("é", ""),
        ("a\nb", "a_b"),
        ("a" * 63, "a" * 63),
        ("a" * 64, "a" * 54 + "-ffe054fe"),
    ],
    ids=[
        "legal",
        "empty",
        "a slash",
        "blanks",
        "only edges",
        "nothing legal",
        "a newline",
        "just fits",
        "cut, with its hash",
    ],
)
def test_label_values(text: str, expected: str) -> None:
    value = legal_label_value(text)
    assert value == expected
    assert len(value) <= 63
    assert LEGAL.fullmatch(value)


def test_long_values_that_begin_alike_stay_apart() -> None:
    assert legal_label_value("a" * 100 + "b") != legal_label_value("a" * 100 + "c")
