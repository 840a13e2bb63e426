"""After a gap: what is asked, what comes of it, and what does where nothing may be asked."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bursar.domain.budget import BudgetKey
from bursar.domain.time import HOUR, MINUTE, SECOND, Ms, format_time
from bursar.domain.usage import Basis
from bursar.meter.witness import ENDING
from bursar.runtime.accounting.sinks import Sinks
from bursar.runtime.cluster.gateway import Gateway
from bursar.runtime.cluster.owners import Owners
from support.events import event
from support.runtime import T0, Operator, book, budget, cost, flat, node, pod
from support.witnesses import Api, job_of, replica_set, served

NANO = 10**9
RATE = 48 * NANO
VISION = BudgetKey(namespace="vision", name="gpu")
GONE = T0 + 4 * HOUR
"""When the operator is back."""
GRACE = 30 * SECOND
TO_GPU_1 = "Successfully assigned vision/{} to gpu-1"


class Absent:
    """An operator that is away for three hours, and what it finds when it is back."""

    def __init__(
        self, path: Path, *, nodes: list[dict[str, Any]] | None = None, eager: bool = True
    ) -> None:
        self.path = path
        self.nodes = nodes or [node()]
        self.eager = eager
        self.now = self._start(T0)

    def _start(self, now: Ms) -> Operator:
        self.now = Operator.start(
            self.path, books=[book(flat("48"))], budgets=[budget()], now=now, eager=self.eager
        )
        self.now.nodes.relist(self.nodes, now)
        return self.now

    def runs(self, *names: str, since: Ms = T0, **more: Any) -> None:
        for name in names:
            obj = pod(name, bound=since, **more)
            obj["spec"]["terminationGracePeriodSeconds"] = GRACE // SECOND
            self.now.see(obj, since + 300, version=1)

    async def back(
        self, api: Api, there: list[dict[str, Any]] | None = None, since: Ms = T0 + HOUR
    ) -> Operator:
        """The operator was killed an hour after it began; the API server forgot everything."""
        self.now.checkpoint(since)
        self.now.see_version(2, since)
        self.now.close()
        operator = self._start(GONE)
        gateway = cast("Gateway", api)
        owners = Owners(gateway)
        witnesses, _ = Sinks.witnesses_of(gateway, operator.world, operator.nodes._ledger, owners)
        present = there or []
        lost = operator.accounts.lost({obj["metadata"]["uid"] for obj in present})
        evidence = await witnesses.after_gap(lost, since, GONE, operator.accounts.met)
        operator.accounts.relist(
            [(obj, ()) for obj in present], GONE, gap=True, since=since, evidence=evidence
        )
        return operator

    def end(self, uid: str = "uid-p") -> tuple[str, int, int, int]:
        """Witness, lower bound, moment counted and upper bound of a pod's only row."""
        self.now.ledger.commit()
        rows = self.now.ledger.reader.intervals(0, 1 << 61)
        (found,) = [row.segment.end for row in rows if row.pod_uid == uid]
        assert found is not None
        assert found.basis is Basis.ESTIMATED
        assert found.low is not None
        assert found.high is not None
        return found.witness, found.low, found.at, found.high


@pytest.fixture
def absent(tmp_path: Path) -> Iterator[Absent]:
    made = Absent(tmp_path / "ledger.db")
    yield made
    made.now.close()


AT = T0 + 2 * HOUR


@pytest.mark.parametrize(
    ("events", "jobs", "told"),
    [
        pytest.param([], [], ("heartbeat", T0 + HOUR, GONE), id="nobody saw anything"),
        pytest.param(
            [event("Killing", AT, "Stopping container main")],
            [],
            ("event:Killing", AT, AT + GRACE + ENDING),
            id="the kubelet's word, with the grace that the ledger kept",
        ),
        pytest.param(
            [event("SuccessfulDelete", AT, "Deleted pod: p", kind="ReplicaSet", name="web")],
            [],
            ("event:SuccessfulDelete", AT, AT + GRACE + ENDING),
            id="the controller's",
        ),
        pytest.param(
            [
                event("SuccessfulCreate", T0, "Created pod: p", kind="Job", name="train"),
                event("Completed", AT, "Job completed", kind="Job", name="train"),
            ],
            [],
            ("event:Completed", T0 + HOUR, AT),
            id="that of a Job which is gone, too",
        ),
        pytest.param(
            [event("SuccessfulCreate", T0, "Created pod: p", kind="Job", name="train")],
            [job_of("train", succeeded=2, completionTime=format_time(AT))],
            ("job", T0 + HOUR, AT),
            id="the Job's own time",
        ),
        pytest.param(
            [event("Killing", AT, "Stopping container main", uid="uid-q")],
            [],
            ("heartbeat", T0 + HOUR, GONE),
            id="a word about another pod of this name tells nothing",
        ),
    ],
)
async def test_a_lost_pod_is_closed_by_the_best_witness(
    absent: Absent,
    events: list[dict[str, Any]],
    jobs: list[dict[str, Any]],
    told: tuple[str, int, int],
) -> None:
    absent.runs("p")
    operator = await absent.back(served(events, jobs))
    witness, low, high = told
    assert absent.end() == (witness, low, (low + high) // 2, high)
    paid, sure = (cost(RATE, 4, 8, at - T0) for at in ((low + high) // 2, low))
    assert operator.spent(VISION, GONE) == paid
    assert operator.world.standings[VISION].spent.estimated == paid - sure
    assert sum(operator.counted(GONE).values()) == paid


async def test_a_job_of_one_pod_ended_when_its_pod_did(absent: Absent) -> None:
    absent.runs("p")
    made = event("SuccessfulCreate", T0, "Created pod: p", kind="Job", name="train")
    done = job_of("train", succeeded=1, completionTime=format_time(AT))
    await absent.back(served([made], [done]))
    assert absent.end() == ("job", T0 + HOUR, AT, AT)


async def test_who_got_the_devices_next_bounds_the_end(absent: Absent) -> None:
    absent.runs("p")
    later = [pod("q", bound=AT, gpus=3), pod("r", bound=AT + HOUR, gpus=2)]
    await absent.back(served(), later)
    assert absent.end() == ("binding", T0 + HOUR, T0 + 2 * HOUR, AT + HOUR)


async def test_a_pod_that_came_and_went_is_told_by_its_events_and_its_owner(
    absent: Absent,
) -> None:
    api = served(
        [
            event("SuccessfulCreate", AT, "Created pod: web-x7k2p", kind="ReplicaSet", name="web"),
            event("Scheduled", AT, TO_GPU_1.format("web-x7k2p"), name="web-x7k2p"),
            event("Killing", AT + HOUR, "Stopping container main", name="web-x7k2p"),
        ]
    )
    api.objects["/apis/apps/v1/namespaces/vision/replicasets/web"] = replica_set("web", gpus=2)
    operator = await absent.back(api)
    low, high = AT + HOUR, AT + HOUR + GRACE + ENDING
    assert absent.end("uid-web-x7k2p") == ("event:Killing", low, (low + high) // 2, high)
    (row,) = operator.ledger.reader.intervals(0, 1 << 61)
    assert (row.segment.start, row.segment.devices) == (AT, 2)
    assert (row.dimension.team, row.run.kind if row.run else "") == ("a", "ReplicaSet")
    paid = cost(RATE, 2, 8, (low + high) // 2 - AT)
    assert operator.spent(VISION, GONE) == paid
    assert sum(operator.counted(GONE).values()) == paid


async def test_a_pod_whose_name_only_suggests_its_job_has_devices_that_nobody_knows(
    absent: Absent,
) -> None:
    name = "train-4-x7k2p"
    scheduled = event("Scheduled", AT, TO_GPU_1.format(name), name=name)
    done = job_of("train", succeeded=9, completionTime=format_time(AT + HOUR))
    operator = await absent.back(served([scheduled], [done]))
    (row,) = operator.ledger.reader.intervals(0, 1 << 61)
    assert (row.segment.devices, row.segment.share, row.cost.total) == (None, None, 0)
    assert absent.end(f"uid-{name}") == ("job", AT, AT + HOUR // 2, AT + HOUR)
    assert operator.spent(VISION, GONE) == 0
    assert operator.world.standings[VISION].unknown


async def test_a_pod_of_which_nothing_tells_what_it_held_is_counted_and_not_told(
    absent: Absent, caplog: pytest.LogCaptureFixture
) -> None:
    operator = await absent.back(
        served([event("Scheduled", AT, TO_GPU_1.format("lone"), name="lone")])
    )
    assert not list(operator.ledger.reader.intervals(0, 1 << 61))
    assert "untold=1" in caplog.text


@pytest.mark.parametrize(
    ("events", "pods"),
    [
        pytest.param([event("Scheduled", T0, TO_GPU_1.format("p"))], [], id="known by the ledger"),
        pytest.param(
            [event("Scheduled", T0 + MINUTE, TO_GPU_1.format("old"), name="old")],
            [],
            id="from before the gap",
        ),
        pytest.param(
            [event("Scheduled", AT, "Successfully assigned vision/c to cpu-1", name="c")],
            [],
            id="on a node without accelerators",
        ),
        pytest.param(
            [event("Scheduled", AT, TO_GPU_1.format("here"), name="here")],
            [{"metadata": {"uid": "uid-here"}}],
            id="still there, if on no list of ours",
        ),
    ],
)
async def test_no_pod_is_born_that_is_known_or_there_or_not_ours(
    absent: Absent,
    events: list[dict[str, Any]],
    pods: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    absent.runs("p")
    operator = await absent.back(served(events, [], pods))
    assert {row.pod_uid for row in operator.ledger.reader.intervals(0, 1 << 61)} == {"uid-p"}
    assert "untold" not in caplog.text


async def test_a_forged_end_saves_nothing_from_before_the_heartbeat(absent: Absent) -> None:
    absent.runs("p")
    early = event("Killing", T0 + MINUTE, "Stopping container main")
    backdated = {
        **event("Killing", T0 + HOUR + MINUTE, "Stopping container main"),
        "metadata": {"namespace": "vision", "creationTimestamp": format_time(GONE)},
    }
    await absent.back(served([early, backdated]))
    assert absent.end()[:2] == ("heartbeat", T0 + HOUR)


@pytest.mark.parametrize("resource", ["events", "jobs"])
async def test_a_missing_right_costs_a_witness_and_is_said_once(
    absent: Absent, resource: str, caplog: pytest.LogCaptureFixture
) -> None:
    absent.runs("p")
    api = served()
    api.forbidden.add(resource)
    await absent.back(api)
    assert absent.end() == ("heartbeat", T0 + HOUR, T0 + 5 * HOUR // 2, GONE)
    said = [record for record in caplog.records if f"witness={resource}" in record.getMessage()]
    assert len(said) == 1


async def test_events_are_read_again_where_the_api_server_errs(
    absent: Absent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_: float) -> None:
        pass

    monkeypatch.setattr("bursar.runtime.witness.events.asyncio.sleep", at_once)
    absent.runs("p")
    api = served([event("Killing", AT, "Stopping container main")])
    api.broken["events"] = [500, 0]
    await absent.back(api)
    assert absent.end()[0] == "event:Killing"


async def test_pages_read_before_a_list_expired_count(absent: Absent) -> None:
    absent.runs("p")
    filler = [event("Pulled", AT, name=f"x{n}") for n in range(499)]
    api = served([event("Killing", AT, "Stopping container main"), *filler, *filler])

    class Expiring(Api):
        def _check(self, resource: str, path: str) -> None:
            super()._check(resource, path)
            if resource == "events" and self.asked["events"] == 2:
                self.broken["events"] = [410]
                super()._check(resource, path)

    await absent.back(Expiring(lists=api.lists))
    assert absent.end()[0] == "event:Killing"


async def test_thousands_of_lost_pods_take_few_requests_and_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    fleet, count = 50, 400
    nodes = [node(f"gpu-{n}") for n in range(fleet)]
    absent = Absent(tmp_path / "ledger.db", nodes=nodes, eager=False)
    for n in range(count):
        absent.runs(f"p{n}", gpus=1, on=f"gpu-{n % fleet}")
    reason, ended = "Killing", "Stopping container main"
    events = [event(reason, AT, ended, name=f"p{n}") for n in range(0, count, 2)]
    for n in range(count):
        given = f"Successfully assigned vision/b{n} to gpu-{n % fleet}"
        events += [
            event("Scheduled", AT, given, name=f"b{n}"),
            event(
                "SuccessfulCreate", AT, f"Created pod: b{n}", kind="ReplicaSet", name=f"s{n % 40}"
            ),
        ]
    api = served(events)
    for n in range(40):
        path = f"/apis/apps/v1/namespaces/vision/replicasets/s{n}"
        api.objects[path] = replica_set(f"s{n}", gpus=1)
    begun = time.monotonic()
    operator = await absent.back(api)
    operator.ledger.commit()
    took = time.monotonic() - begun
    rows = list(operator.ledger.reader.intervals(0, 1 << 61))
    assert len(rows) == 2 * count
    assert all(row.segment.end for row in rows)
    assert sum(api.asked.values()) < 100
    assert took < 30, f"{took:.1f} s"
    absent.now.close()
