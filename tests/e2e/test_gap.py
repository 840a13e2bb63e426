"""The operator is away, and the API server forgets: what is estimated bounds the truth, by name."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bursar import sandbox as sandboxes
from bursar.domain.time import SECOND, format_time
from bursar.domain.usage import Basis, End
from bursar.runtime.ledger.reader import Reader
from support.closedform import PodWatch, bound, finished
from support.events import event
from support.lives import Fleet
from support.policies import Place, job, workload
from support.product import Product, gpu_pod

pytestmark = pytest.mark.cluster

ONE = {"nvidia.com/gpu": 1}
UNTOLD = {"terminationGracePeriodSeconds": 0}


@pytest.fixture
def product(product: Product) -> Iterator[Product]:
    """A product on a control plane of this machine, all of which lives afterwards."""
    if not product.sandbox.state.owned:
        pytest.skip("the control plane of an existing cluster is left alone")
    yield product
    up(product)


def up(product: Product) -> None:
    """Start again what has ended of the control plane, as a kubelet does, until all of it runs."""

    def runs() -> bool:
        for program in product.sandbox.state.processes:
            sandboxes.revive(product.sandbox.dir, program.name)
        return product.sandbox.kubectl("get", "--raw=/readyz", check=False).stdout == "ok"

    product.sandbox.wait(runs, what="the API server ready again", every=0.5)


def forget(product: Product) -> None:
    """Kill the API server, whose memory of what happened is then gone, and start it again."""
    sandboxes.crash(product.sandbox.dir, "kube-apiserver")
    up(product)


def names(watch: PodWatch, prefix: str) -> list[str]:
    return [name for name in watch.pods if name.startswith(prefix)]


def end_of(reader: Reader, namespace: str, name: str) -> End | None:
    rows = reader.pod_intervals(namespace, name)
    ends = [row.segment.end for row in rows]
    return max((end for end in ends if end), key=lambda end: end.at, default=None)


def test_after_a_gap_estimates_bound_the_truth_and_name_their_witness(
    product: Product, namespace: str, watch: PodWatch
) -> None:
    fleet = Fleet(product, namespace, watch)
    place = Place(sandbox=product.sandbox, namespace=namespace)
    template = gpu_pod("t4-spot", ONE)
    template["spec"]["restartPolicy"] = "Always"
    replicas = workload("ReplicaSet", template)
    replicas["metadata"]["name"] = "web"
    assert place.attempt(replicas, keep=True).allowed
    silent, killed, stays = (fleet.create(index, None, **UNTOLD) for index in (0, 5, 3))
    (web,) = product.sandbox.wait(lambda: names(watch, "web-"), what="the ReplicaSet's pod")
    for name in (silent, killed, stays, web):
        fleet.wait(name, "running")
    reader = Reader.open(f"sqlite:///{product.sandbox.dir / 'ledger.db'}", "default")
    product.sandbox.wait(
        lambda: len({pod.uid for pod in reader.open_pods() if pod.namespace == namespace}) == 4,
        what="all of them in the ledger",
    )
    product.kill()
    time.sleep(2.1)

    # While nobody watches: one vanishes without a word, one with its kubelet's, one is scaled away,
    # and one comes and goes.
    fleet.delete("--force", "--grace-period=0", silent)
    said = event(
        "Killing",
        int(time.time()) * 1000,
        "Stopping container main",
        name=killed,
        namespace=namespace,
        uid=watch.pods[killed].last["metadata"]["uid"],
    )
    product.sandbox.create(said)  # the fleet's nodes have no kubelet to say so
    fleet.delete("--force", "--grace-period=0", killed)
    assert place.kubectl("scale", "replicaset", "web", "--replicas=0").allowed
    template = gpu_pod("t4-spot", ONE, 1)
    brief = job(template, name="brief")
    brief["spec"]["template"]["metadata"]["annotations"] = template["metadata"]["annotations"]
    assert place.attempt(brief, keep=True).allowed
    complete = place.kubectl("wait", "--for=condition=complete", "job/brief", "--timeout=30s")
    assert complete.allowed, complete.said
    (born,) = names(watch, "brief-")
    fleet.wait(born, "finished")
    fleet.delete(born)
    for name in (silent, killed, web, born):
        fleet.wait(name, "gone")
    time.sleep(2.1)
    forget(product)
    product.start()
    assert "missed=" in product.sandbox.operator_log

    truths = {
        silent: watch.pods[silent].gone,
        killed: watch.pods[killed].gone,
        web: finished(watch.pods[web].last) or watch.pods[web].gone,
        born: finished(watch.pods[born].last),
    }
    product.sandbox.wait(
        lambda: all(end_of(reader, namespace, name) for name in truths), what="all ends written"
    )
    witnesses = {}
    for name, truth in truths.items():
        end = end_of(reader, namespace, name)
        assert end is not None
        assert truth is not None
        assert end.basis is Basis.ESTIMATED, name
        assert end.low is not None
        assert end.high is not None
        assert end.low <= end.at <= end.high
        assert end.low - SECOND < truth < end.high + SECOND, (name, end, format_time(truth))
        witnesses[name] = end.witness
    # What the ledger last wrote of it may be no later than its binding.
    assert witnesses.pop(silent) in ("heartbeat", "event:Scheduled")
    assert witnesses == {
        killed: "event:Killing",
        web: "event:SuccessfulDelete",
        born: "job",
    }
    (row,) = reader.pod_intervals(namespace, born)
    assert (row.segment.start, row.segment.devices) == (bound(watch.pods[born].last), 1)
    assert end_of(reader, namespace, stays) is None
    reader.close()
