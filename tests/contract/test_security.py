"""The threat model names tests that exist, and policies that the chart has."""

import re

import pytest

from bursar.admission.policies import all_policies
from support.examples import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
SHOWN = re.findall(r"`((?:unit|cluster|e2e|kind)/\w+\.py)(?:: (\w+))?`", TEXT)
POLICIES = {policy.name for policies in all_policies().values() for policy in policies}


@pytest.mark.parametrize(("file", "name"), SHOWN, ids=[f"{file} {name}" for file, name in SHOWN])
def test_what_shows_it_is_there(file: str, name: str) -> None:
    text = (ROOT / "tests" / file).read_text("utf-8")
    assert not name or re.search(rf"(?:def|class) {name}\b", text), f"{file} has no {name}"


def test_each_threat_has_a_test() -> None:
    table = TEXT.partition("## Threats")[2].partition("## What is not")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    assert [row for row in rows if not re.search(r"/test_\w+\.py", row)] == []


def test_each_policy_that_it_names_is_there() -> None:
    assert set(re.findall(r"`(bursar-guard-\w+)`", TEXT)) <= POLICIES
