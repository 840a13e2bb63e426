"""However pods come and go that share something, together they never hold more than there is."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bursar import meter
from bursar.domain.rate import Rate, RatePeriod
from bursar.domain.usage import Basis, End, Holding, Part, Segment
from bursar.domain.workload import NodeFacts
from bursar.meter.sharing import Sharer, capped, devices_at, steps
from bursar.recognize.request import requests
from bursar.recognize.share import held
from support.catalog import tables
from support.fleet import container, facts, pod

HOUR = 3_600_000
moments = st.integers(0, 15).map(lambda n: n * 1000)
lives = st.tuples(moments, st.none() | st.integers(1, 8).map(lambda n: n * 1000))
parts = st.fractions(Fraction(1, 8), 1, max_denominator=8)
sharers = st.lists(st.tuples(lives, parts), min_size=1, max_size=6)


def holding(life: tuple[int, int | None], wanted: Fraction, of: Fraction) -> Holding:
    start, length = life
    end = None
    if length is not None:
        end = End(at=start + length, basis=Basis.EXACT, witness="finishedAt")
    return Holding(
        resource="claim:gpu",
        devices=wanted,
        node_devices=Fraction(4),
        start=start,
        end=end,
        parts=(Part(key="k", devices=wanted, of=of),),
    )


def settled(pods: list[tuple[tuple[int, int | None], Fraction]], of: Fraction) -> list[Holding]:
    """The holdings of all pods with their steps, each knowing all others."""
    whole = [holding(life, wanted, of) for life, wanted in pods]
    all_of = [
        Sharer(
            devices=each.parts[0].devices,
            start=each.start,
            end=None if each.end is None else each.end.at,
        )
        for each in whole
    ]
    found = []
    for index, each in enumerate(whole):
        around = {"k": [other for i, other in enumerate(all_of) if i != index]}
        found.append(
            Holding(
                resource=each.resource,
                devices=each.devices,
                node_devices=each.node_devices,
                start=each.start,
                end=each.end,
                parts=each.parts,
                steps=steps(each, around),
            )
        )
    return found


def at(each: Holding, moment: int) -> Fraction:
    if moment < each.start or (each.end is not None and moment >= each.end.at):
        return Fraction(0)
    assert isinstance(each.devices, Fraction)
    return devices_at(each.devices, each.steps, moment)


@given(sharers, st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2)]))
@settings(max_examples=100, deadline=None)
def test_sharers_never_hold_more_than_there_is_and_no_less_than_they_may(
    pods: list[tuple[tuple[int, int | None], Fraction]], of: Fraction
) -> None:
    found = settled(pods, of)
    for moment in range(0, 25_000, 1000):
        there = [each for each in found if at(each, moment) or each.start == moment]
        wanted = sum(
            (
                each.parts[0].devices
                for each in found
                if each.start <= moment and (each.end is None or moment < each.end.at)
            ),
            Fraction(0),
        )
        assert sum((at(each, moment) for each in there), Fraction(0)) == min(of, wanted)


@given(sharers)
@settings(max_examples=60, deadline=None)
def test_segments_add_up_to_what_was_held(
    pods: list[tuple[tuple[int, int | None], Fraction]],
) -> None:
    rate = Rate(capex=Fraction(0), opex=Fraction(10**9), currency="USD", origin="x", assumed=False)
    periods = (RatePeriod(since=0, until=None, rate=rate),)
    upto = 25_000
    device_ms = Fraction(0)
    found = settled(pods, Fraction(1))
    for each in found:
        cut: tuple[Segment, ...] = meter.segments(each, periods)
        assert [part.start for part in cut] == sorted({part.start for part in cut})
        for before, after in pairwise(cut):
            assert before.end is not None
            assert before.end.at == after.start
            assert before.end.witness == "share change"
        device_ms += sum((meter.cost(part, upto).device_ms for part in cut), Fraction(0))
    by_hand = sum(
        (
            1000 * sum((at(each, moment) for each in found), Fraction(0))
            for moment in range(0, upto, 1000)
        ),
        Fraction(0),
    )
    assert device_ms == by_hand


@given(lives, parts, st.lists(st.tuples(moments, parts), max_size=4), moments)
@settings(max_examples=60, deadline=None)
def test_what_is_booked_of_the_past_is_not_exceeded_and_the_future_is_free(
    life: tuple[int, int | None],
    wanted: Fraction,
    past: list[tuple[int, Fraction]],
    until: int,
) -> None:
    each = holding(life, wanted, Fraction(1))
    booked = tuple(sorted(dict(past).items()))
    found = capped((), each, booked, until)
    for moment in range(each.start, 25_000, 1000):
        now = devices_at(wanted, found, moment)
        if moment < until and booked:
            assert now == min(wanted, devices_at(wanted, booked, moment))
        else:
            assert now == wanted


GPU, MEMORY = 2, 24_000
NODES: Mapping[str, NodeFacts] = {
    "hami": facts(
        {},
        annotations={
            "hami.io/node-nvidia-register": "".join(
                f"GPU-{index},10,{MEMORY},100,NVIDIA-L4,0,true:" for index in range(GPU)
            )
        },
    ),
    "cgpu": facts({}, capacity={"aliyun.com/gpu-count": "2", "aliyun.com/gpu-mem": "48"}),
    "qgpu": facts({"nvidia.com/gpu.memory": "24576", "nvidia.com/gpu.count": "2"}),
    "time-slicing": facts({"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.count": "2"}),
    "intel": facts({"gpu.intel.com/device.count": "2"}, capacity={"gpu.intel.com/xe": "14"}),
    "nos": facts({"nvidia.com/gpu.memory": "24576", "nvidia.com/gpu.count": "2"}),
}
sizes = st.lists(st.integers(1, 24), max_size=40)


def fitting(wanted: list[int], room: int) -> list[int]:
    """As many of these as fit into one device."""
    taken: list[int] = []
    for each in wanted:
        if sum(taken) + each <= room:
            taken.append(each)
    return taken


def one(kind: str, size: int) -> tuple[dict[str, int], dict[str, str]]:
    """A pod that takes so many units of one device: its limits and annotations."""
    match kind:
        case "hami":
            given_ = f"GPU-0,NVIDIA,{size * 1000},0:;"
            return {"nvidia.com/gpu": 1}, {"hami.io/vgpu-devices-allocated": given_}
        case "cgpu":
            return {"aliyun.com/gpu-mem": size}, {}
        case "qgpu":
            limits = {"qgpu-memory": size, "qgpu-core": 5}
            return {f"tke.cloud.tencent.com/{name}": n for name, n in limits.items()}, {}
        case "time-slicing":
            return {"nvidia.com/gpu": 1}, {}
        case "intel":
            return {"gpu.intel.com/xe": 1}, {}
        case _:
            return {f"nvidia.com/gpu-{size}gb": 1}, {}


ROOM = {"hami": 24, "cgpu": 24, "qgpu": 24, "time-slicing": 4, "intel": 7, "nos": 25}


@given(st.sampled_from(sorted(NODES)), sizes)
@settings(max_examples=100, deadline=None)
def test_no_legal_mix_of_parts_holds_more_than_one_device(kind: str, wanted: list[int]) -> None:
    single = kind in ("time-slicing", "intel")
    total = Fraction(0)
    for size in fitting([1 if single else each for each in wanted], ROOM[kind]):
        limits, notes = one(kind, size)
        (request,) = requests(pod(container(limits), annotations=notes))
        share = held(request, NODES[kind], tables()).devices
        assert isinstance(share, Fraction), share
        assert share > 0
        total += share
    assert total <= 1
