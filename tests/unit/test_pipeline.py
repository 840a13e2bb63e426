"""The path of a pod and of a budget's spending, with everything it depends on handed in."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bursar import pipeline
from bursar.api import meta
from bursar.domain.budget import BudgetKey, Span
from bursar.domain.classification import WorkloadClass
from bursar.domain.rate import RatePeriod, Unpriced
from bursar.domain.time import HOUR, MINUTE, SECOND, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.usage import Basis
from bursar.domain.world import Membership, PodAccount, Purse
from bursar.pipeline import Sighting, Surroundings
from bursar.recognize.node import node_facts
from support.catalog import tables
from support.ledger import P5, period
from support.runtime import T0, node, pod

KEY = BudgetKey(namespace="vision", name="gpu")
NANO = 10**9
HALF_AN_HOUR_OF_HALF = 55_040_000_000 // 4
EVERYTHING: dict[str, Any] = {
    "owners": (),
    "namespace_labels": {},
    "node": node_facts(node(), tables()),
    "rates": (period(P5),),
    "tables": tables(),
}


def around(**more: Any) -> Surroundings:
    return Surroundings(**{**EVERYTHING, **more})


def account(
    obj: Mapping[str, Any], now: int, surroundings: Surroundings | None = None, **how: Any
) -> PodAccount:
    return pipeline.account(obj, surroundings or around(), Sighting(now=now, **how))


def test_the_path_is_the_list_of_rooms_in_their_order() -> None:
    rooms = Path(pipeline.__file__).parent
    names = [step.name for step in pipeline.PATH]
    assert names == ["recognize", "classify", "allocate", "price", "meter", "budget", "enforce"]
    for step in pipeline.PATH:
        assert (rooms / step.name).is_dir()
        assert step.question.endswith("?")
        assert step.entry.__module__.startswith(f"bursar.{step.name}")


def test_a_pod_that_waits_is_judged_and_holds_nothing() -> None:
    found = account(pod(), T0)
    assert found.start is None
    assert found.holdings == found.segments == ()
    assert [request.resource for request in found.requests] == ["nvidia.com/gpu"]
    assert not found.ended


def test_a_bound_pod_holds_its_share_of_the_node_from_its_binding_on() -> None:
    found = account(pod(bound=T0), T0 + 400)
    (held,) = found.holdings
    assert (held.devices, held.node_devices) == (Fraction(4), Fraction(8))
    (segment,) = found.segments
    assert (segment.start, segment.end, segment.share) == (T0, None, Fraction(1, 2))
    assert pipeline.amounts(found, T0, T0 + HOUR // 2).cost == HALF_AN_HOUR_OF_HALF
    assert not found.ended


def test_what_was_judged_once_is_not_judged_again() -> None:
    labels = {"app.kubernetes.io/name": "vllm"}
    first = account(pod(labels=labels), T0)
    later = account(pod(bound=T0), T0, around(previous=first))
    assert later.labels == labels
    assert later.classification is first.classification


def test_a_price_change_cuts_and_what_was_spent_before_stays() -> None:
    found = account(pod(bound=T0), T0)
    before = pipeline.amounts(found, T0, T0 + HOUR).cost
    dear = replace(P5, opex=P5.opex * 2)
    cut = pipeline.reprice(found, (period(P5, until=T0 + HOUR), period(dear, since=T0 + HOUR)))
    assert [part.start for part in cut.segments] == [T0, T0 + HOUR]
    assert pipeline.amounts(cut, T0, T0 + HOUR).cost == before
    assert pipeline.amounts(cut, T0, T0 + 2 * HOUR).cost == 3 * before


@pytest.mark.parametrize(
    ("obj", "how", "basis", "end"),
    [
        pytest.param(
            pod(bound=T0, finished=T0 + HOUR), {}, Basis.EXACT, T0 + HOUR, id="its containers end"
        ),
        pytest.param(
            pod(bound=T0),
            {"deleted": True},
            Basis.OBSERVED,
            T0 + 2 * HOUR,
            id="it is gone, and somebody saw it",
        ),
        pytest.param(
            pod(bound=T0, phase="Failed"),
            {},
            Basis.OBSERVED,
            T0 + 2 * HOUR,
            id="it failed without a word, and somebody saw it",
        ),
        pytest.param(
            pod(bound=T0),
            {"deleted": True, "watched_since": T0 + HOUR},
            Basis.ESTIMATED,
            T0 + 3 * HOUR // 2,
            id="it is gone, and nobody saw it",
        ),
        pytest.param(
            pod(bound=T0 + HOUR),
            {"deleted": True, "watched_since": T0},
            Basis.ESTIMATED,
            T0 + 3 * HOUR // 2,
            id="it came and went unseen",
        ),
        pytest.param(
            pod(bound=T0, finished=T0 + HOUR),
            {"deleted": True, "watched_since": T0},
            Basis.EXACT,
            T0 + HOUR,
            id="nobody saw it, but it tells itself",
        ),
    ],
)
def test_a_pod_ends(obj: dict[str, Any], how: dict[str, Any], basis: Basis, end: int) -> None:
    found = account(obj, T0 + 2 * HOUR, **how)
    (held,) = found.holdings
    assert held.end is not None
    assert (held.end.basis, held.end.at) == (basis, end)
    assert found.ended


def test_an_announced_end_is_where_the_last_sign_of_life_was() -> None:
    obj = pod(bound=T0)
    obj["metadata"] |= {
        "deletionTimestamp": "2026-11-24T09:30:30Z",
        "deletionGracePeriodSeconds": 30,
    }
    found = account(obj, T0 + 2 * HOUR, deleted=True, watched_since=T0)
    (held,) = found.holdings
    assert held.end is not None
    assert held.end.low == parse_time("2026-11-24T09:30:00Z")


@pytest.mark.parametrize("now", [T0 - HOUR, T0], ids=["before its binding", "at its binding"])
def test_an_estimated_end_is_never_before_the_binding(now: int) -> None:
    found = account(pod(bound=T0), now, deleted=True, watched_since=T0 - 2 * HOUR)
    (held,) = found.holdings
    assert held.end is not None
    assert held.end.at >= T0
    assert held.end.low is not None
    assert held.end.high is not None
    assert T0 <= held.end.low <= held.end.high


def test_a_pod_on_an_unknown_node_is_metered_and_says_why_it_is_not_priced() -> None:
    found = account(pod(bound=T0), T0, around(node=None, rates=()))
    (held,) = found.holdings
    assert isinstance(held.devices, Unknown)
    assert found.accelerator == "unknown"
    assert "the pod's node was never seen" in found.unknown
    assert pipeline.amounts(found, T0, T0 + HOUR).cost == 0


def test_an_unpriced_node_gives_device_time_and_its_reason_and_no_money() -> None:
    rates = (RatePeriod(since=0, until=None, rate=Unpriced("nobody sells this")),)
    found = account(pod(bound=T0), T0, around(rates=rates))
    assert found.unknown == ("nobody sells this",)
    paid = pipeline.amounts(found, T0, T0 + HOUR)
    assert (paid.cost, paid.gpu_ms) == (0, 4 * HOUR)


def test_a_fraction_of_a_device_counts_as_such_in_hours_and_not_in_money() -> None:
    eighth = replace(EVERYTHING["node"], devices=Fraction(1), device_fraction=Fraction(1, 8))
    found = account(pod(bound=T0, gpus=1), T0, around(node=eighth))
    paid = pipeline.amounts(found, T0, T0 + HOUR)
    assert (paid.cost, paid.gpu_ms) == (55_040_000_000, HOUR // 8)


def test_weights_count_in_normalized_hours_only() -> None:
    weights = {"h100-sxm5-80gb": Fraction(1, 2)}
    paid = pipeline.amounts(account(pod(bound=T0), T0, around(weights=weights)), T0, T0 + HOUR)
    assert paid.gpu_ms == 4 * HOUR
    assert paid.normalized_ms == 2 * HOUR


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None, "spec": 3, "status": []},
        {"metadata": {"labels": {"a": 1, "b": None}}, "spec": {"priority": "high"}},
        {**pod(bound=T0), "spec": {"nodeName": ["x"], "containers": {"a": 1}}},
        {**pod(bound=T0), "status": {"phase": "Failed", "conditions": [None, 3, {}]}},
    ],
    ids=["empty", "wrong types", "odd labels", "odd spec", "odd status"],
)
@pytest.mark.parametrize("deleted", [False, True])
def test_odd_pods_are_judged_and_never_an_error(obj: dict[str, Any], *, deleted: bool) -> None:
    found = account(obj, T0, deleted=deleted, watched_since=T0 - HOUR)
    assert all(isinstance(value, str) for value in found.labels.values())


# --- what a label must say ------------------------------------------------------------------------


def test_a_pod_is_labelled_where_the_stamp_could_not_know() -> None:
    found = account(pod(), T0)
    label = pipeline.correction(pod(), found)
    assert label is not None
    assert label.ref.uid == found.uid
    assert label.labels[meta.LABEL_CLASS] == found.classification.workload_class.value
    assert meta.ANNOTATION_CLASSIFICATION in label.annotations


def test_a_pod_stamped_right_is_not_written_again() -> None:
    label = pipeline.correction(pod(), account(pod(), T0))
    assert label is not None
    stamped = pod(labels=label.labels)
    assert pipeline.correction(stamped, account(stamped, T0)) is None


def test_a_long_model_name_is_a_legal_label_and_whole_in_the_annotation() -> None:
    name = "meta-llama/" + "Llama-3.1-405B-Instruct-" * 6
    found = account(pod(), T0)
    found = replace(found, classification=replace(found.classification, model=name))
    label = pipeline.correction(pod(), found)
    assert label is not None
    assert len(label.labels[meta.LABEL_MODEL]) <= 63
    assert "/" not in label.labels[meta.LABEL_MODEL]
    assert label.annotations[meta.ANNOTATION_MODEL] == name


def test_a_summary_names_class_confidence_and_what_spoke_loudest() -> None:
    verdict = account(pod(labels={meta.LABEL_CLASS_OVERRIDE: "training"}), T0).classification
    assert pipeline.summary(verdict).startswith(
        f"{verdict.workload_class.value} ({verdict.confidence:.2f}, {verdict.decided_by.value}"
    )
    assert pipeline.summary(replace(verdict, evidence=())).endswith(")")


# --- what a budget has spent ----------------------------------------------------------------------


def member(since: int = T0, until: int | None = None) -> Membership:
    return Membership(budget=KEY, workload_class=WorkloadClass.TRAINING, since=since, until=until)


def purse(**by_class: Any) -> Purse:
    return Purse(Span(start=T0, end=T0 + 24 * HOUR), dict(by_class))


def test_spending_is_the_purse_and_what_its_open_pods_cost_by_now() -> None:
    running = account(pod(bound=T0), T0)
    ended = pipeline.amounts(running, T0, T0 + HOUR)
    book = Purse(Span(start=T0, end=None), {WorkloadClass.TRAINING: ended})
    spent, flows, unknown = pipeline.spending(book, [(member(), running)], T0 + HOUR)
    assert spent[WorkloadClass.TRAINING].cost == 2 * ended.cost
    assert sum(flow.devices for flow in flows) == 4
    assert unknown == ()
    assert book.by_class == {WorkloadClass.TRAINING: ended}  # reading spends nothing


@pytest.mark.parametrize(
    ("membership", "minutes"),
    [
        pytest.param(member(T0 - HOUR), 60, id="the span's start cuts what was before"),
        pytest.param(member(T0 + 20 * MINUTE), 40, id="a membership begins later"),
        pytest.param(member(T0, T0 + 15 * MINUTE), 15, id="a membership has ended"),
        pytest.param(member(T0 + 2 * HOUR), 0, id="a membership lies ahead"),
    ],
)
def test_a_membership_pays_for_its_own_stretch(membership: Membership, minutes: int) -> None:
    running = account(pod(bound=T0 - HOUR), T0)
    spent, flows, _ = pipeline.spending(purse(), [(membership, running)], T0 + HOUR)
    assert spent[WorkloadClass.TRAINING].gpu_ms == 4 * minutes * MINUTE
    assert bool(flows) == (membership.until is None)


def test_a_pod_that_cannot_be_priced_makes_the_spending_incomplete() -> None:
    running = account(pod(bound=T0), T0, around(node=None, rates=()))
    _, _, unknown = pipeline.spending(purse(), [(member(), running)] * 2, T0 + SECOND)
    assert len(unknown) == len(set(unknown)) > 0


def test_what_rests_on_an_estimate_is_told_apart() -> None:
    found = account(pod(bound=T0), T0 + HOUR, deleted=True, watched_since=T0)
    paid = pipeline.amounts(found, T0, T0 + HOUR)
    assert paid.estimated == paid.cost == HALF_AN_HOUR_OF_HALF
