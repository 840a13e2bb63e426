"""`helm uninstall` in any state of release and operator: no policy stays, and every pod starts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from bursar.sandbox import install, programs
from support.apiserver import restart
from support.chart import CHART, Release
from support.cluster import Sandbox
from support.policies import Place, cpu_pod, entry, pod, stamps, window

pytestmark = pytest.mark.cluster

KINDS = "clusterroles,clusterrolebindings"
REFUSED_BY_THE_API = "podLabels: {broken: not a label's value}"
"""Helm and the schema take it; the API server refuses the Deployment, half way through."""


def interrupted(release: Release, *arguments: str, until: Callable[[], object]) -> None:
    """Start a command of helm and kill it with -9 once something is so."""
    program = programs.helm(lambda line: None)
    process = subprocess.Popen(
        [program, *release.argv(*arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(release.sandbox.dir)},
    )
    try:
        release.sandbox.wait(until, what="helm at work", every=0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def in_force(release: Release) -> None:
    """Wait until a budget that is shut refuses GPU pods."""
    place = Place(sandbox=release.sandbox, namespace="default")
    place.rule(entry("AIBudget vision", window()))
    answer = place.attempt(pod())
    assert "AIBudget vision is shut" in answer.said


def observing(release: Release) -> None:
    release.install()


def enforcing(release: Release) -> None:
    release.install(mode="Enforce")
    in_force(release)


def without_the_stamp(release: Release) -> None:
    release.install("policies: {stamping: Never}", mode="Enforce")
    in_force(release)


def interrupted_at_once(release: Release) -> None:
    secret = ("secret", "sh.helm.release.v1.bursar.v1", "-n", install.NAMESPACE)
    interrupted(
        release,
        *("install", str(CHART), "--create-namespace", "--set", "enforcement.mode=Enforce"),
        until=lambda: release.sandbox.find(*secret),
    )
    assert release.state() == "pending-install"


def interrupted_with_policies(release: Release) -> None:
    # There is no storage here: the operator's pod waits for its volume, and helm for the pod.
    interrupted(
        release,
        *("install", str(CHART), "--create-namespace", "--wait"),
        *("--set", "enforcement.mode=Enforce,replicaCount=1"),
        until=lambda: "budget-is-shut" in "".join(release.policies()),
    )
    assert release.state() == "pending-install"


def a_failed_installation(release: Release) -> None:
    done = release.run(
        *("install", str(CHART), "--create-namespace", "--set", "enforcement.mode=Enforce"),
        values=REFUSED_BY_THE_API,
    )
    assert done.returncode != 0
    assert release.state() == "failed"


def a_failed_way_to_observing(release: Release) -> None:
    enforcing(release)
    done = release.run("upgrade", str(CHART), values=REFUSED_BY_THE_API)
    assert done.returncode != 0
    assert release.state() == "failed"
    # What this revision does not have, helm has not removed yet, and would not know to remove.
    assert any("budget-is-shut" in name for name in release.policies())


def an_interrupted_way_to_observing(release: Release) -> None:
    enforcing(release)
    secret = ("secret", "sh.helm.release.v1.bursar.v2", "-n", install.NAMESPACE)
    interrupted(
        release, "upgrade", str(CHART), "--wait", until=lambda: release.sandbox.find(*secret)
    )
    assert release.state() == "pending-upgrade"


def rolled_back_to_enforcing(release: Release) -> None:
    enforcing(release)
    release.install(mode="Observe")
    release.do("rollback", "1")
    in_force(release)


def rolled_back_in_vain(release: Release) -> None:
    a_failed_way_to_observing(release)
    release.run("rollback", "1")


STATES = (
    observing,
    enforcing,
    without_the_stamp,
    interrupted_at_once,
    interrupted_with_policies,
    a_failed_installation,
    a_failed_way_to_observing,
    an_interrupted_way_to_observing,
    rolled_back_to_enforcing,
    rolled_back_in_vain,
)


def everything_starts(sandbox: Sandbox) -> None:
    place = Place(sandbox=sandbox, namespace="default")

    def unlabelled() -> bool:
        answer = place.attempt(pod())
        return answer.allowed and not stamps(answer.labels)

    sandbox.wait(unlabelled, what="GPU pods let in as they are")
    answer = place.attempt(cpu_pod())
    assert answer.allowed, answer.said


def nothing_is_left(release: Release) -> None:
    assert release.policies() == []
    rights = release.sandbox.kubectl("get", KINDS, "-o", "name").stdout.split()
    assert [each for each in rights if "bursar" in each] == []


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.replace("_", " "))
def test_uninstalled_with_no_operator_alive(
    release: Release, state: Callable[[Release], None]
) -> None:
    state(release)
    release.do("uninstall")
    nothing_is_left(release)
    everything_starts(release.sandbox)
    assert release.sandbox.find("crd", "aibudgets.bursar.dev") or state is interrupted_at_once


def test_uninstalled_with_the_operator_alive(release: Release) -> None:
    enforcing(release)
    release.sandbox.start_operator()
    release.do("uninstall")
    nothing_is_left(release)
    everything_starts(release.sandbox)


def test_uninstalled_with_the_operator_killed(release: Release) -> None:
    enforcing(release)
    release.sandbox.start_operator()
    release.sandbox.kill_operator()
    release.do("uninstall")
    nothing_is_left(release)
    everything_starts(release.sandbox)


def test_with_the_definitions_deleted_first_cpu_pods_start_and_the_release_goes(
    release: Release,
) -> None:
    enforcing(release)
    names = release.sandbox.kubectl("get", "crd", "-o", "name").stdout.split()
    release.sandbox.kubectl("delete", *(name for name in names if name.endswith(".bursar.dev")))
    place = Place(sandbox=release.sandbox, namespace="default")
    assert place.attempt(cpu_pod()).allowed
    # A running API server still remembers the kinds; one that has just started refuses.
    restart(release.sandbox)
    release.sandbox.wait(
        lambda: "failed to find resource referenced by paramKind" in place.attempt(pod()).said,
        what="GPU pods refused, for want of the verdicts' kind",
    )
    for _ in range(5):
        answer = place.attempt(cpu_pod())
        assert answer.allowed, answer.said
    release.do("uninstall")
    nothing_is_left(release)
    everything_starts(release.sandbox)


def test_after_a_failed_upgrade_the_next_one_mends(release: Release) -> None:
    a_failed_way_to_observing(release)
    release.install(mode="Observe")
    assert release.state() == "deployed"
    assert not [name for name in release.policies() if "budget-is-shut" in name]
    release.install(mode="Enforce")
    in_force(release)


def test_where_the_namespace_took_the_release_along_a_new_one_takes_over(release: Release) -> None:
    enforcing(release)
    release.sandbox.kubectl("delete", "namespace", install.NAMESPACE, "--timeout=120s")
    assert release.state() == ""
    assert release.policies()
    release.install(mode="Observe")
    release.do("uninstall")
    nothing_is_left(release)
    everything_starts(release.sandbox)
