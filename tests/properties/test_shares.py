"""No legal layout holds more than its device; no pod or node is too odd to be read."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest
from bursar.recognize import claims
from bursar.recognize.node import node_facts
from bursar.recognize.request import requests
from bursar.recognize.share import held, share
from bursar.recognize.tables import MigProfile
from support.catalog import tables
from support.fleet import facts

PROFILES = tables().mig_profiles
MODELS = sorted({model for model, _ in PROFILES})


def layouts(profiles: list[tuple[str, MigProfile]]) -> Iterator[dict[str, int]]:
    """Every multiset of profiles that fits a device's slices and each profile's own limit."""

    def fill(index: int, compute: int, memory: int) -> Iterator[dict[str, int]]:
        if index == len(profiles):
            yield {}
            return
        name, profile = profiles[index]
        for count in range(profile.most + 1):
            left = compute - count * profile.compute, memory - count * profile.memory
            if min(left) < 0:
                break
            for rest in fill(index + 1, *left):
                yield {name: count, **rest} if count else rest

    first = profiles[0][1]
    yield from fill(0, first.compute_base, first.memory_base)


@cache
def layouts_of(model: str) -> list[dict[str, int]]:
    return list(
        layouts([(name, each) for (owner, name), each in PROFILES.items() if owner == model])
    )


@pytest.mark.parametrize("model", MODELS)
def test_no_layout_of_slices_holds_more_than_its_device(model: str) -> None:
    product = next(key[1] for key, names in tables().aliases.items() if names == (model,))
    node = facts({"nvidia.com/gpu.product": product})
    assert node.accelerator == model
    one = {
        name: share(
            AcceleratorRequest(resource=f"nvidia.com/mig-{name}", count=Fraction(1)), node, tables()
        )
        for owner, name in tables().mig_profiles
        if owner == model
    }
    sums = []
    for layout in layouts_of(model):
        held = Fraction(0)
        for name, count in layout.items():
            slice_share = one[name]
            assert isinstance(slice_share, Fraction)
            held += slice_share * count
        sums.append(held)
    assert max(sums) == 1
    assert len(sums) > 10


@given(st.data())
@settings(deadline=None)
def test_no_random_node_of_slices_is_held_more_than_its_devices(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    product = next(key[1] for key, names in tables().aliases.items() if names == (model,))
    devices = data.draw(st.lists(st.sampled_from(layouts_of(model)), min_size=1, max_size=16))
    node = facts(
        {
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.count": str(len(devices)),
            "nvidia.com/mig.strategy": "mixed",
            "nvidia.com/gpu.replicas": "0",
        }
    )
    there = sum((Counter(layout) for layout in devices), Counter())
    asked = {name: data.draw(st.integers(0, count)) for name, count in there.items()}
    held = Fraction(0)
    for name, count in asked.items():
        if count:
            one = AcceleratorRequest(resource=f"nvidia.com/mig-{name}", count=Fraction(count))
            slices = share(one, node, tables())
            assert isinstance(slices, Fraction)
            held += slices
    assert node.devices == len(devices)
    assert held <= len(devices)


@given(
    st.integers(1, 16),
    st.integers(2, 48),
    st.sampled_from(["time-slicing", "mps"]),
    st.sampled_from(["", ".shared"]),
    st.data(),
)
@settings(deadline=None)
def test_all_replicas_together_hold_their_devices_and_no_more(
    devices: int, replicas: int, strategy: str, renamed: str, data: st.DataObject
) -> None:
    node = facts(
        {
            "nvidia.com/gpu.product": "Tesla-T4" + ("" if renamed else "-SHARED"),
            "nvidia.com/gpu.count": str(devices),
            "nvidia.com/gpu.replicas": str(replicas),
            "nvidia.com/gpu.sharing-strategy": strategy,
        },
        capacity={f"nvidia.com/gpu{renamed}": str(devices * replicas)},
    )
    cuts = data.draw(st.sets(st.integers(1, devices * replicas - 1), max_size=6))
    asked = [b - a for a, b in pairwise([0, *sorted(cuts), devices * replicas])]
    held = [
        share(
            AcceleratorRequest(resource=f"nvidia.com/gpu{renamed}", count=Fraction(count)),
            node,
            tables(),
        )
        for count in asked
    ]
    assert held == [Fraction(count, replicas) for count in asked]
    assert node.devices == devices


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["nvidia.com/gpu", "Always", "0.5", "1k", "-1", "NVIDIA_VISIBLE_DEVICES"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
limits = st.dictionaries(
    st.sampled_from(
        [
            "nvidia.com/gpu",
            "nvidia.com/gpumem",
            "nvidia.com/mig-1g.5gb",
            "amd.com/gpu",
            "aws.amazon.com/neuron",
            "aws.amazon.com/neuroncore",
            "volcano.sh/vgpu-number",
            "volcano.sh/vgpu-memory",
            "tke.cloud.tencent.com/qgpu-core",
            "tke.cloud.tencent.com/qgpu-memory",
            "nvidia.com/gpu-10gb",
            "gpu.intel.com/xe",
            "cpu",
        ]
    ),
    odd | st.integers(-2, 9).map(str),
    max_size=4,
)
containers = st.lists(
    odd
    | st.fixed_dictionaries(
        {"resources": odd | st.fixed_dictionaries({"limits": odd | limits})},
        optional={"restartPolicy": odd | st.just("Always"), "env": odd | st.lists(odd)},
    ),
    max_size=3,
)
pods = odd | st.fixed_dictionaries(
    {},
    optional={
        "metadata": odd
        | st.fixed_dictionaries(
            {},
            optional={
                "annotations": odd
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "gpu-fraction",
                            "gpu-memory",
                            "gpu-fraction-num-devices",
                            "hami.io/vgpu-devices-allocated",
                        ]
                    ),
                    odd | st.sampled_from(["0.5", "GPU-a,NVIDIA,500,1:;", "GPU-b,x,1e99,:,,"]),
                ),
                "labels": odd | st.dictionaries(st.just("runai-gpu-group"), odd),
                "namespace": odd,
            },
        ),
        "spec": odd
        | st.fixed_dictionaries(
            {},
            optional={
                "resources": odd | st.fixed_dictionaries({"limits": odd | limits}),
                "containers": odd | containers,
                "initContainers": odd | containers,
                "ephemeralContainers": odd | containers,
                "resourceClaims": odd | st.lists(odd, max_size=3),
                "overhead": odd | limits,
            },
        ),
        "status": odd
        | st.fixed_dictionaries(
            {},
            optional={
                "resourceClaimStatuses": odd | st.lists(odd, max_size=2),
                "extendedResourceClaimStatus": odd
                | st.fixed_dictionaries(
                    {"resourceClaimName": odd}, optional={"requestMappings": odd | st.lists(odd)}
                ),
            },
        ),
    },
)
registers = st.dictionaries(
    st.sampled_from(["hami.io/node-nvidia-register", "volcano.sh/node-vgpu-register"]),
    odd
    | st.sampled_from(['[{"id": "GPU-a", "devmem": 1000}]', "GPU-a,10,1000,:GPU-b,1,-1,", "[[[["]),
)


@given(pods)
@settings(max_examples=300, deadline=None)
def test_no_pod_is_too_odd_and_no_count_is_negative_or_broken(pod: Any) -> None:
    product = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}
    register = {"hami.io/node-nvidia-register": "GPU-a,10,1000,:"}
    for node in (facts(product), facts(product, annotations=register)):
        for request in requests(pod):
            assert isinstance(request.count, Unknown) or (
                request.count > 0 and request.count.denominator == 1
            )
            found = held(request, node, tables())
            assert isinstance(found.devices, Unknown) or found.devices >= 0
            assert all(part.devices > 0 for part in found.parts)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "metadata": odd
            | st.fixed_dictionaries(
                {},
                optional={
                    "labels": odd
                    | st.dictionaries(
                        st.sampled_from(["nvidia.com/gpu.product", "nvidia.com/gpu.count", "a"]),
                        odd | st.text(max_size=12),
                    ),
                    "annotations": odd | registers,
                },
            ),
            "spec": odd,
            "status": odd | st.fixed_dictionaries({"capacity": odd | limits}),
        },
    )
)
@settings(max_examples=200, deadline=None)
def test_no_node_is_too_odd(node: Any) -> None:
    known = node_facts(node, tables())
    assert isinstance(known.devices, Unknown) or known.devices >= 1
    assert known.replicas >= 1


@given(odd | st.fixed_dictionaries({"spec": odd, "status": odd}))
@settings(max_examples=150, deadline=None)
def test_no_claim_and_no_slice_is_too_odd(obj: Any) -> None:
    known = {each.key: each for each in claims.devices(obj)}
    results = claims.allocated(obj)
    for part in claims.held_by(results or (), known, tables()).values():
        assert isinstance(part, Unknown) or part >= 0
    claims.of_node(known.values(), tables())


entries = st.fixed_dictionaries(
    {"name": st.sampled_from(["d", "e"])},
    optional={
        "attributes": odd
        | st.dictionaries(st.sampled_from(["type", "profile", "productName"]), odd),
        "capacity": odd | st.dictionaries(st.just("memory"), odd),
    },
)
results = st.fixed_dictionaries(
    {"driver": st.just("gpu.nvidia.com"), "pool": st.just("p"), "device": st.sampled_from("de")},
    optional={"request": odd, "adminAccess": odd, "consumedCapacity": odd},
)


@given(st.lists(entries, max_size=3), st.lists(results, max_size=3))
@settings(max_examples=150, deadline=None)
def test_odd_devices_are_told_or_unknown(devices: list[Any], given_: list[Any]) -> None:
    spec = {"driver": "gpu.nvidia.com", "pool": {"name": "p"}, "devices": devices}
    known = {each.key: each for each in claims.devices({"spec": spec})}
    claim = {"status": {"allocation": {"devices": {"results": given_}}}}
    for part in claims.held_by(claims.allocated(claim) or (), known, tables()).values():
        assert isinstance(part, Unknown) or part >= 0
