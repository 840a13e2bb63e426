"""`bursar audit`: what pods and nodes come to, with every unknown said and none taken for zero."""

from fractions import Fraction
from typing import Any

import pytest

from bursar.api import meta
from bursar.api.pricebook import PriceBook
from bursar.classify import LabelMapping
from bursar.cli.audit.values import Audit, Share
from bursar.domain.classification import WorkloadClass
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR, MINUTE, format_time
from bursar.price.books import merge
from support.audit import (
    H100,
    MYSTERY,
    NOTEBOOK,
    NOW,
    SERVE,
    audit,
    node,
    owned,
    pod,
    snapshot,
)

STAMP = {
    meta.LABEL_CLASS: "interactive",
    meta.LABEL_CLASS_BY: "tagged",
    meta.LABEL_CONFIDENCE: "0.75",
    meta.LABEL_TEAM: "blue",
}


def share(found: Audit, field: str) -> Share:
    return next(each for each in found.shares if each.field == field)


def test_a_workload_costs_its_share_of_the_node_since_it_was_bound() -> None:
    three = {"nvidia.com/gpu": 3}
    found = audit(owned(pod("a-1", SERVE, limits=three, since=NOW - 5 * HOUR), "Deployment", "a"))
    (one,) = found.workloads
    assert (one.kind, one.namespace, one.name) == ("Deployment", "vision", "a")
    assert one.workload_class is WorkloadClass.INFERENCE
    assert one.cost.known == 3 * H100
    assert one.so_far == 5 * 3 * H100
    assert one.devices == {"h100-sxm5-80gb": 3}
    assert one.since == NOW - 5 * HOUR
    assert one.origins == ("catalog 2026-07-20 aws us-east-1 p5.48xlarge on-demand",)
    assert (one.pods, one.waiting, one.assumed, one.unknown) == (1, 0, False, ())


def test_pods_of_one_owner_are_one_workload_and_the_dearest_is_first() -> None:
    found = audit(
        pod("cheap", NOTEBOOK),
        owned(pod("j-1", since=NOW - 2 * HOUR), "Job", "j"),
        owned(pod("j-2", since=NOW - HOUR), "Job", "j"),
        owned(pod("j-3", on=None), "Job", "j"),
    )
    assert [one.name for one in found.workloads] == ["j", "cheap"]
    job = found.workloads[0]
    assert (job.pods, job.waiting) == (2, 1)
    assert job.cost.known == 2 * H100
    assert job.so_far == 3 * H100
    assert job.asked == {"nvidia.com/gpu": 3}
    assert found.held.known == 3 * H100


def test_roles_of_two_classes_are_two_rows() -> None:
    found = audit(owned(pod("a", NOTEBOOK), "Job", "j"), owned(pod("b", SERVE), "Job", "j"))
    assert {one.workload_class.value for one in found.workloads} == {"interactive", "inference"}


def test_an_owner_that_another_namespace_claims_too_joins_nothing() -> None:
    found = audit(owned(pod("a"), "Job", "j"), owned(pod("b", namespace="other"), "Job", "j"))
    assert [(one.namespace, one.pods) for one in found.workloads] == [("other", 1), ("vision", 1)]


def test_what_nobody_holds_idles_at_its_share_of_the_price() -> None:
    nodes = (node(), node(number=2))
    nodes[1]["spec"]["unschedulable"] = True
    found = audit(pod("a", limits={"nvidia.com/gpu": 6}), nodes=nodes)
    (pool,) = found.pools
    assert (pool.devices, pool.held, pool.idle, pool.untold) == (16, 6, 10, 0)
    assert pool.idle_cost.known == 10 * H100
    assert pool.cost.known == 16 * H100
    assert [(each.name, each.idle, each.whole, each.fit) for each in pool.idle_nodes] == [
        ("h100-2", 8, True, "cordoned"),
        ("h100-1", 2, False, ""),
    ]
    (tariff,) = pool.tariffs
    assert (tariff.instance_type, tariff.nodes, tariff.per_hour) == ("p5.48xlarge", 2, 8 * H100)


def test_slices_count_as_the_part_of_a_device_that_they_are() -> None:
    found = audit(
        pod("a", on="a100-mig-1", limits={"nvidia.com/mig-3g.20gb": 1}), nodes=(node("a100-mig"),)
    )
    held = (Fraction(3, 7) + Fraction(4, 8)) / 2
    assert found.pools[0].held == held
    assert found.pools[0].idle == 8 - held


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"nvidia.com/mig-9g.99gb": 1}, "MIG profile 9g.99gb"),
        ({"nvidia.com/gpu": 1, "nvidia.com/gpucores": 30}, "HAMi"),
    ],
    ids=["a profile that the model has not", "a slice by a default that nobody tells"],
)
def test_a_share_that_cannot_be_told_is_neither_held_nor_idle(
    limits: dict[str, Any], why: str
) -> None:
    found = audit(pod("a", limits=limits), pod("b"))
    odd = next(one for one in found.workloads if one.name == "a")
    assert (odd.cost.known, odd.untold, odd.devices) == (None, 1, {})
    assert any(why in reason for reason in odd.unknown)
    (pool,) = found.pools
    assert (pool.held, pool.idle, pool.untold) == (1, 0, 7)
    assert (found.held.known, found.held.unpriced) == (H100, 1)


def test_without_nodes_devices_and_prices_are_unknown_and_not_zero() -> None:
    found = audit(pod("a"), nodes=None)
    (one,) = found.workloads
    assert (one.cost.known, one.devices, one.untold) == (None, {}, 1)
    assert found.held.known is None
    assert found.pools == ()
    assert not found.nodes_known


def test_where_not_all_pods_were_read_nothing_is_called_idle() -> None:
    (pool,) = audit(pod("a"), namespaces=("vision",)).pools
    assert (pool.devices, pool.held, pool.idle, pool.idle_nodes) == (8, 1, None, ())
    assert pool.idle_cost.priced == 0


def test_a_node_whose_price_nobody_tells_is_counted_and_never_free() -> None:
    odd = node()
    odd["metadata"]["labels"] = {"kubernetes.io/hostname": "h100-1"}
    found = audit(pod("a"), nodes=(odd,))
    (pool,) = found.pools
    assert (pool.accelerator, pool.devices) == ("unknown", 8)
    assert (pool.cost.known, pool.idle_cost.known) == (None, None)
    assert (found.held.known, found.workloads[0].devices) == (None, {"unknown": 1})


def test_a_price_that_stands_in_for_another_is_said() -> None:
    found = audit(pod("a", on="dgx-h100-1"), nodes=(node("dgx-h100"),))
    assert found.workloads[0].assumed
    assert found.pools[0].tariffs[0].assumed


def test_a_price_book_speaks_before_the_catalog() -> None:
    book = PriceBook.parse(
        {
            "metadata": {"name": "ours"},
            "spec": {"rates": [{"name": "h100", "perDeviceHour": "2", "currency": "EUR"}]},
        }
    )
    (one,) = audit(pod("a"), books=merge([book]), currency="EUR").workloads
    assert one.cost.known == 2 * NANO
    assert one.origins == ("PriceBook ours/h100",)


def test_pods_that_ask_for_nothing_and_see_all_are_counted_apart() -> None:
    exporter = pod("exporter", limits={})
    exporter["spec"]["containers"][0]["env"] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    found = audit(exporter, pod("a"))
    assert [one.name for one in found.workloads] == ["a"]
    assert (found.onlookers, found.pods, found.pools[0].idle) == (1, 1, 7)


def test_a_pod_that_has_ended_is_none_of_it() -> None:
    state = {"terminated": {"finishedAt": format_time(NOW - MINUTE)}}
    ended = pod("a", phase="Succeeded", containerStatuses=[{"state": state}])
    found = audit(ended)
    assert (found.workloads, found.pods, found.pools[0].idle) == ((), 0, 8)


def test_who_waits_is_shown_with_the_schedulers_words_the_longest_first() -> None:
    found = audit(
        pod("b", on=None, since=NOW - MINUTE),
        pod("a", on=None, since=NOW - HOUR),
        pod("c", on=None, since=NOW - DAY, spec={"schedulingGates": [{"name": "x/y"}]}),
    )
    assert [each.name for each in found.waiting] == ["c", "a", "b"]
    assert found.waiting[1].reason == "0/1 nodes are available"
    assert found.waiting[0].reason == "held by scheduling gates: x/y"
    assert (found.pods, found.held.known) == (0, 0)


def test_labels_count_by_pods_and_by_cost() -> None:
    found = audit(
        pod("a", limits={"nvidia.com/gpu": 3}),
        pod("b", MYSTERY, namespace="other"),
        labels={"vision": {"team": "blue", "env": "prod"}},
    )
    team, environment = share(found, "team"), share(found, "environment")
    assert (team.pods, team.per_hour) == (1, 3 * H100)
    assert (environment.pods, share(found, "project").pods) == (1, 0)
    assert (share(found, "class").pods, share(found, "class").per_hour) == (1, 3 * H100)
    blue = next(one for one in found.workloads if one.name == "a")
    assert blue.allocation.sources == (("team", "namespace"), ("environment", "namespace"))


def test_the_organisations_own_labels_tell_a_class() -> None:
    mapping = LabelMapping(key="kind-of-work", values={"demo": "other"})
    (one,) = audit(
        pod("a", metadata={"labels": {"kind-of-work": "demo"}}), mappings=(mapping,)
    ).workloads
    assert one.workload_class is WorkloadClass.OTHER


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        (True, ("interactive", 0.75, "tagged", "blue", "label at birth", "lee")),
        (False, ("training", 0.98, "known", "unallocated", None, "")),
    ],
    ids=[
        "where Bursar is installed, what was stamped stands",
        "else nobody vouches for the labels",
    ],
)
def test_labels_of_birth(installed: bool, told: tuple[object, ...]) -> None:
    metadata = {"labels": STAMP, "annotations": {meta.ANNOTATION_SUBMITTED_BY: "lee"}}
    (one,) = audit(pod("a", metadata=metadata), installed=installed).workloads
    verdict = one.classification
    source = dict(one.allocation.sources).get("team")
    assert told == (
        verdict.workload_class.value,
        verdict.confidence,
        verdict.decided_by.value,
        one.allocation.team,
        source,
        one.submitted_by,
    )


@pytest.mark.parametrize(
    "labels",
    [{meta.LABEL_CLASS: "king"}, {meta.LABEL_CLASS: "training", meta.LABEL_CLASS_BY: "me"}],
    ids=["a class that is none", "a way to decide that is none"],
)
def test_odd_labels_of_birth_are_passed_over(labels: dict[str, str]) -> None:
    (one,) = audit(pod("a", SERVE, metadata={"labels": labels}), installed=True).workloads
    assert one.workload_class is WorkloadClass.INFERENCE


@pytest.mark.parametrize(
    ("more", "trouble"),
    [
        ({"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
         "not running: CrashLoopBackOff"),
        ({"containerStatuses": [{"state": {"running": {}}}]}, ""),
        ({"containerStatuses": [{"state": {"waiting": {}}}], "since": NOW - MINUTE}, ""),
        ({"metadata": {"deletionTimestamp": format_time(NOW - HOUR)}}, "terminating"),
        ({"metadata": {"deletionTimestamp": format_time(NOW - MINUTE)}}, ""),
        ({"containerStatuses": "odd"}, ""),
    ],
    ids=[
        "nothing runs in it",
        "something runs in it",
        "it was only just placed",
        "it should be gone",
        "it is going",
        "its status is no status",
    ],
)  # fmt: skip
def test_what_holds_devices_and_does_nothing(more: dict[str, Any], trouble: str) -> None:
    (one,) = audit(pod("a", **more)).workloads
    assert one.trouble == trouble
    assert one.troubled.per_hour == (H100 if trouble else 0)


def test_a_cluster_without_accelerators_has_nothing() -> None:
    found = audit(nodes=({"metadata": {"name": "cpu"}, "status": {"capacity": {"cpu": "4"}}},))
    assert (found.pools, found.workloads, found.findings) == ((), (), ())


def test_what_was_read_is_passed_on() -> None:
    seen = snapshot(pod("a"))
    found = audit(pod("a"))
    assert (found.now, found.place, found.pods_read) == (seen.now, seen.place, 1)


def test_a_time_without_a_price_hides_what_was_spent_and_not_what_is_paid_now() -> None:
    (one,) = audit(pod("a", since=NOW - 40 * DAY)).workloads  # its node is thirty days old
    assert (one.cost.known, one.so_far) == (H100, None)
