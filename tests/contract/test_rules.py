"""The table of rules is what Python and the API server can both run, and every row works."""

import math
import re
from collections import Counter

import pytest

from bursar.classify.rule import CONFIDENCE_STEPS, MINIMUM, TEXT_LIMIT, Rule
from bursar.classify.rules import RULES
from bursar.domain.classification import KNOWN_CLASSES
from support.rule_examples import EXAMPLES

BY_NAME = {rule.name: rule for rule in RULES}
NOT_IN_RE2 = re.compile(r"\(\?[=!<>P#(]|\\[1-9]|[*+?}]\+|\\[AZzpPuxNR]")
LONGEST_PATTERN = 300


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
class TestEachRule:
    def test_finds_its_example_and_not_its_counterexample(self, rule: Rule) -> None:
        finds, misses = EXAMPLES[rule.name]
        pattern = re.compile(rule.pattern, re.ASCII)
        assert pattern.search(finds)
        assert not pattern.search(misses)

    def test_uses_only_what_re2_has_and_is_short(self, rule: Rule) -> None:
        assert not NOT_IN_RE2.search(rule.pattern)
        assert "(?" not in rule.pattern.removeprefix("(?i)")
        assert len(rule.pattern) <= LONGEST_PATTERN
        assert all(int(n) <= 1000 for n in re.findall(r"\{\d*,?(\d+)\}", rule.pattern))

    def test_says_why_and_weighs_in_quarters(self, rule: Rule) -> None:
        assert len(rule.why) >= 10
        assert rule.weight != 0
        assert (rule.weight * 4).is_integer()
        assert rule.workload_class in KNOWN_CLASSES
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)


def test_names_are_unique_and_every_example_has_its_rule() -> None:
    assert [name for name, count in Counter(r.name for r in RULES).items() if count > 1] == []
    assert set(EXAMPLES) == set(BY_NAME)


def test_a_name_alone_is_never_certain_and_the_steps_fall() -> None:
    certain = min(margin for margin, confidence in CONFIDENCE_STEPS if confidence >= 0.9)
    assert all(r.weight < certain for r in RULES if r.where == "name")
    assert list(CONFIDENCE_STEPS) == sorted(CONFIDENCE_STEPS, reverse=True)
    assert CONFIDENCE_STEPS[-1][0] == 0.0
    assert MINIMUM > 0


@pytest.mark.parametrize("workload_class", KNOWN_CLASSES, ids=str)
def test_the_api_server_can_afford_a_class_on_the_longest_texts(workload_class: str) -> None:
    """CEL charges ceil(text/10) x ceil(pattern/4) a match, at most 1,000,000 an expression."""
    cost = sum(
        math.ceil((1 + TEXT_LIMIT) / 10) * math.ceil(len(rule.pattern) / 4)
        for rule in RULES
        if rule.workload_class == workload_class
    )
    assert cost < 900_000
