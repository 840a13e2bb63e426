"""Whatever a tenant writes, the verdict comes, soon, and inside its bounds."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bursar.allocate import allocate
from bursar.classify import RULES, classify, classify_document
from bursar.classify.engine import MOST_FOUND
from bursar.classify.rule import TEXT_LIMIT, Where
from bursar.classify.texts import texts
from bursar.cli.classify import verdict_line
from bursar.cli.manifests import documents
from bursar.domain.label import legal_label_value
from bursar.domain.workload import Owner
from bursar.recognize.request import requests
from support.rule_examples import EXAMPLES

KEYS = (
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "labels",
    "spec",
    "template",
    "containers",
    "image",
    "command",
    "args",
    "env",
    "value",
    "ports",
    "resources",
    "limits",
    "inference",
    "entrypoint",
    "workerGroupSpecs",
    "predictor",
    "services",
    "nvidia.com/gpu",
)
KINDS = ("Pod", "Job", "RayJob", "Workspace", "InferenceService", "Model", "Workflow", "List")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(sorted(text for pair in EXAMPLES.values() for text in pair))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)
MANIFESTS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(["v1", "batch/v1", "ray.io/v1", "kaito.sh/v1"]) | SCALARS,
        "kind": st.sampled_from(KINDS) | SCALARS,
        "metadata": VALUES,
        "spec": VALUES,
        "inference": VALUES,
    },
)
OWNER = Owner(api_version="batch/v1", kind="Job", namespace="n", name="j", uid="u")
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(MANIFESTS)
def test_any_object_gets_a_bounded_verdict(manifest: dict[str, Any]) -> None:
    for found in (
        classify(manifest, (OWNER,), None),
        classify_document(manifest, requests).classification,
    ):
        assert 0 <= found.confidence <= 1
        assert len(found.model) <= 256
        assert len(found.evidence) <= len(RULES)
        assert all(len(item.found) <= MOST_FOUND for item in found.evidence)
    line = verdict_line(classify_document(manifest, requests))
    assert json.loads(json.dumps(line)) == line
    assert all(len(text) <= TEXT_LIMIT for text in texts(manifest).values())


@QUICK
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_any_text_is_documents_or_errors(text: str) -> None:
    for document in documents(text):
        assert (document.manifest is None) == bool(document.error)


@QUICK
@given(st.lists(MANIFESTS, min_size=1, max_size=4))
def test_json_lines_give_a_document_for_each_line(manifests: list[dict[str, Any]]) -> None:
    plain = [{**manifest, "kind": "Pod"} for manifest in manifests]
    found = list(documents("\n".join(json.dumps(manifest) for manifest in plain)))
    assert len(found) == len(plain)


@QUICK
@given(st.text(max_size=200))
def test_any_text_becomes_a_legal_label_value(text: str) -> None:
    value = legal_label_value(text)
    assert len(value) <= 63
    assert legal_label_value(value) == value


@QUICK
@given(st.dictionaries(st.sampled_from(["team", "env", "x"]), st.text(max_size=80)))
def test_any_labels_give_an_allocation_of_legal_values(labels: dict[str, str]) -> None:
    found = allocate(labels, (), {}, None)
    assert all(value for value in (found.team, found.cost_center, found.project))
    assert legal_label_value(found.team) == found.team


@pytest.mark.parametrize("where", list(Where))
def test_no_pattern_is_slow_on_the_longest_text(where: Where) -> None:
    """Backtracking must stay near linear: repeat what the rules look for up to the limit."""
    import re

    rules = [rule for rule in RULES if rule.where is where]
    pieces = {text for rule in rules for text in EXAMPLES[rule.name]} | {"a", "_", "-", " ", "a."}
    patterns = [(rule.name, re.compile(rule.pattern, re.ASCII)) for rule in rules]
    for piece in sorted(pieces):
        hostile = (piece * TEXT_LIMIT)[: TEXT_LIMIT - 1] + "!"
        for name, pattern in patterns:
            start = time.process_time()
            pattern.search(hostile)
            assert time.process_time() - start < 0.5, (name, piece)
