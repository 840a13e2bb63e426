"""The verdict: named evidence added up, class by class.

Class is the largest sum of weights, confidence a step function of how far it leads the second
(rule.py), so that the admission policy, which has no exponentials, comes to the same. A label that
people set decides alone. Never raises, whatever the pod: tenants write it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from bursar.classify.model import model_name
from bursar.classify.rule import CONFIDENCE_STEPS, MINIMUM, Rule, Where
from bursar.classify.rules import RULES
from bursar.classify.tag import Tag
from bursar.classify.texts import texts
from bursar.domain.classification import (
    KNOWN_CLASSES,
    Classification,
    DecidedBy,
    Evidence,
    WorkloadClass,
)
from bursar.domain.workload import Owner

TAG_WEIGHT = 10.0
"""Log-odds shown for a tag: it decides alone, so the figure only has to look like that."""

MOST_FOUND = 200
"""Characters of what matched that are kept."""

_BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}
_COMPILED = {
    where: tuple(
        (rule, re.compile(rule.pattern, re.ASCII)) for rule in RULES if rule.where is where
    )
    for where in Where
}


def classify(pod: Mapping[str, Any], owners: Sequence[Owner], tagged: Tag | None) -> Classification:
    """Judge one pod.

    Args:
        pod: as the API writes it.
        owners: what stands above it, nearest first, as far as it could be read.
        tagged: what `bursar.classify.tag.tagged` found.
    """
    return judge(texts(pod, owners), tagged, model_name(pod))


def judge(looked_at: Mapping[Where, str], tagged: Tag | None, model: str) -> Classification:
    """Judge texts that are already built (of a manifest, which is no pod yet)."""
    evidence = tuple(
        sorted(
            (item for where in Where for item in _matches(where, looked_at.get(where, ""))),
            key=lambda item: (-item.weight, item.rule),
        )
    )
    if tagged is not None:
        return _said(tagged, evidence, model)
    sums = dict.fromkeys(KNOWN_CLASSES, 0.0)
    for item in evidence:
        sums[item.workload_class] += item.weight
    ranked = sorted(KNOWN_CLASSES, key=lambda known: -sums[known])
    best, second = ranked[0], ranked[1]
    if sums[best] < MINIMUM:
        return Classification(
            workload_class=WorkloadClass.UNKNOWN,
            activity="",
            confidence=0.0,
            decided_by=DecidedBy.NONE,
            evidence=evidence,
            model=model,
        )
    won = _speaking_for(best, evidence)
    known_rule = any(rule.decided_by is DecidedBy.KNOWN for rule in won)
    return Classification(
        workload_class=best,
        activity=next((rule.activity for rule in won if rule.activity), ""),
        confidence=confidence(sums[best] - sums[second]),
        decided_by=DecidedBy.KNOWN if known_rule else DecidedBy.DISCOVERED,
        evidence=evidence,
        model=model,
    )


def confidence(margin: float) -> float:
    """How often a verdict is right whose class leads the second by this much, 0 to 1."""
    return next((value for least, value in CONFIDENCE_STEPS if margin >= least), 0.0)


def _said(tagged: Tag, evidence: tuple[Evidence, ...], model: str) -> Classification:
    said = Evidence(
        rule="tag",
        workload_class=tagged.workload_class,
        weight=TAG_WEIGHT,
        found=tagged.source[:MOST_FOUND],
    )
    agreeing = _speaking_for(tagged.workload_class, evidence)
    return Classification(
        workload_class=tagged.workload_class,
        activity=next((rule.activity for rule in agreeing if rule.activity), ""),
        confidence=1.0,
        decided_by=DecidedBy.TAGGED,
        evidence=(said, *evidence),
        model=model,
    )


def _speaking_for(workload_class: WorkloadClass, evidence: tuple[Evidence, ...]) -> list[Rule]:
    """The rules behind a class, strongest first."""
    return [
        _BY_NAME[item.rule]
        for item in evidence
        if item.workload_class is workload_class and item.weight > 0
    ]


@lru_cache(maxsize=4096)
def _matches(where: Where, text: str) -> tuple[Evidence, ...]:
    """What the rules of one place find in its text. Pods of one template share their texts."""
    if not text:
        return ()
    found = []
    for rule, pattern in _COMPILED[where]:
        match = pattern.search(text)
        if match:
            found.append(
                Evidence(
                    rule=rule.name,
                    workload_class=rule.workload_class,
                    weight=rule.weight,
                    found=match.group(0).strip()[:MOST_FOUND],
                )
            )
    return tuple(found)
