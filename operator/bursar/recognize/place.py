"""Where a node stands and how it is bought: provider, region, zone, capacity type, infrastructure.

Decided from labels and `spec.providerID`. It must never call a node on-demand merely because
nothing says otherwise, except where the platform always marks what is not.
"""

import re
from collections.abc import Mapping

from bursar.recognize.labels import INSTANCE_TYPES

Labels = Mapping[str, str]

ON_DEMAND, SPOT, RESERVED, UNKNOWN = "on-demand", "spot", "reserved", "unknown"
CAPACITY_BLOCK = "capacity-block"
SELF_MANAGED, PARTIALLY_MANAGED = "self-managed", "partially-managed"

_REGIONS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")

_CAPACITY_LABELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    # Before Karpenter's other label, which says "reserved" of both kinds of reservation.
    ("karpenter.k8s.aws/capacity-reservation-type", {"capacity-block": CAPACITY_BLOCK}),
    (
        "karpenter.sh/capacity-type",
        {"on-demand": ON_DEMAND, "spot": SPOT, "reserved": RESERVED},
    ),
    (
        "eks.amazonaws.com/capacityType",
        {"ON_DEMAND": ON_DEMAND, "SPOT": SPOT, "CAPACITY_BLOCK": CAPACITY_BLOCK},
    ),
    ("cloud.google.com/gke-spot", {"true": SPOT}),
    ("cloud.google.com/gke-preemptible", {"true": SPOT}),
    ("cloud.google.com/gke-flex-start", {"true": UNKNOWN}),
    ("cloud.google.com/gke-provisioning", {"spot": SPOT, "preemptible": SPOT}),
    ("kubernetes.azure.com/scalesetpriority", {"spot": SPOT, "regular": ON_DEMAND}),
    ("kubernetes.azure.com/priority", {"spot": SPOT, "regular": ON_DEMAND}),
    ("oci.oraclecloud.com/oke-is-preemptible", {"true": SPOT}),
    ("node.kubernetes.io/lifecycle", {"spot": SPOT, "normal": ON_DEMAND}),
    ("spotinst.io/node-lifecycle", {"od": ON_DEMAND, "spot": SPOT}),
    ("scheduling.cast.ai/spot", {"true": SPOT}),
    ("cloud.google.com/gke-provisioning", {"standard": ON_DEMAND}),
)
_RESERVATION = "cloud.google.com/reservation-name"
_MARKS_ALL_SPOT = ("cloud.google.com/gke-", "kubernetes.azure.com/")
"""Prefixes of platforms that label every spot node, so that silence means on-demand."""

_MANAGED_PREFIXES = (
    "eks.amazonaws.com/",
    "alpha.eksctl.io/",
    "cloud.google.com/gke-",
    "kubernetes.azure.com/",
    "karpenter.azure.com/",
    "oke.oraclecloud.com/",
    "oci.oraclecloud.com/oke-",
    "doks.digitalocean.com/",
    "lke.linode.com/",
    "k8s.scaleway.com/",
    "node.coreweave.cloud/",
    "alibabacloud.com/",
    "node.alibabacloud.com/",
    "ibm-cloud.kubernetes.io/",
)
_MANAGED_IDS = re.compile(
    r"eks-hybrid:.*|azure:///subscriptions/[^/]+/resourceGroups/mc_.*", re.IGNORECASE
)
_PROVIDERS = {
    "aws": "aws",
    "eks-hybrid": "on-premises",
    "azure": "azure",
    "gce": "gcp",
    "oci": "oci",
    "ocid1.instance": "oci",
    "digitalocean": "digitalocean",
    "alicloud": "alibaba",
    "scaleway": "scaleway",
    "openstack": "openstack",
    "vsphere": "vsphere",
    "nebius": "nebius",
}
_PROVIDER_LABELS = (
    ("eks.amazonaws.com/", "aws"),
    ("karpenter.k8s.aws/", "aws"),
    ("cloud.google.com/gke-", "gcp"),
    ("kubernetes.azure.com/", "azure"),
    ("karpenter.azure.com/", "azure"),
    ("oci.oraclecloud.com/", "oci"),
    ("node.coreweave.cloud/", "coreweave"),
)


def instance_type(labels: Labels) -> str:
    """The instance type, blank where the node has none."""
    return _first(labels, INSTANCE_TYPES)


def region(labels: Labels) -> str:
    """The region, blank where the node has none."""
    return _first(labels, _REGIONS)


def zone(labels: Labels) -> str:
    """The zone, blank where the node has none."""
    return _first(labels, _ZONES)


def provider(labels: Labels, provider_id: str) -> str:
    """The cloud (`aws`, `azure`, `gcp`, `oci`, …), blank where neither id nor labels tell."""
    scheme = provider_id.partition(":")[0]
    known = _PROVIDERS.get(scheme) or _PROVIDERS.get(".".join(provider_id.split(".")[:2]))
    if known:
        return known
    return next((name for prefix, name in _PROVIDER_LABELS if _has(labels, prefix)), "")


def capacity_type(labels: Labels) -> str:
    """How the node is bought: on-demand, spot, reserved, capacity-block, else unknown."""
    for key, meanings in _CAPACITY_LABELS:
        meaning = meanings.get(labels.get(key, ""))
        if meaning is not None:
            return meaning
    if labels.get(_RESERVATION):
        return RESERVED
    silent_means_rented = any(_has(labels, prefix) for prefix in _MARKS_ALL_SPOT)
    return ON_DEMAND if silent_means_rented else UNKNOWN


def infrastructure(labels: Labels, provider_id: str) -> str:
    """Whether the control plane is a provider's (partially-managed) or one's own (self-managed)."""
    managed = any(_has(labels, prefix) for prefix in _MANAGED_PREFIXES)
    return PARTIALLY_MANAGED if managed or _MANAGED_IDS.match(provider_id) else SELF_MANAGED


def _first(labels: Labels, keys: tuple[str, ...]) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")


def _has(labels: Labels, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in labels)
