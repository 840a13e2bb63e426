"""What was read of a cluster at one moment, and what could not be read: plain values, no I/O.

`assess` decides from this alone, so that a test can hand it any cluster there may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from bursar.classify import LabelMapping
from bursar.domain.time import Ms
from bursar.domain.workload import Owner
from bursar.price.books import Books

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that could not be read.

    Attributes:
        what: in the plural, such as `nodes`.
        why: the API server's answer, in a few words.
        so: what the audit therefore does not know, or takes instead.
    """

    what: str
    why: str
    so: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which cluster was read.

    Attributes:
        context: of the kubeconfig; blank inside a cluster.
        version: the API server's, such as `v1.36.3`; blank where it does not say.
    """

    context: str
    server: str
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPod:
    """A pod that asks for accelerators, with what stands above it, nearest first."""

    obj: JSON
    owners: tuple[Owner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A cluster as it was read.

    Attributes:
        now: when (ms).
        namespaces: whose pods were read; None: all there are.
        nodes: None where they could not be read.
        pods: those that ask for accelerators and have not ended.
        pods_read: how many pods were looked at for that.
        labels: of namespaces, by name.
        installed: whether Bursar's resources are served here.
        budgets: names of AIBudgets by namespace; a cluster-wide one stands under "".
        books: price books of the cluster and of the command line, merged.
        weights: normalized devices for one device, by accelerator.
    """

    now: Ms
    place: Place
    namespaces: tuple[str, ...] | None = None
    nodes: tuple[JSON, ...] | None = ()
    pods: tuple[SeenPod, ...] = ()
    pods_read: int = 0
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    installed: bool = False
    budgets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    mappings: tuple[LabelMapping, ...] = ()
    weights: Mapping[str, Fraction] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
