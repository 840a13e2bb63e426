"""What is asked of witnesses and what they answer: values between accounts and who fetches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bursar.domain.time import Ms
from bursar.domain.workload import Owner
from bursar.meter.witness import Testimony
from bursar.runtime.cluster.gateway import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A pod that held devices and is gone, nobody saw when.

    Attributes:
        owner: uid of the object that made it, or of the root above; empty where that is not known.
        known: when it was last known to hold its devices (ms).
        grace: how long its containers may take to end (ms); None: not known.
    """

    uid: str
    namespace: str
    name: str
    owner: str = ""
    known: Ms
    grace: Ms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """A pod that came and went while nobody watched, put together from Events and its owner.

    Attributes:
        obj: as the API would have given it.
        owners: controllers above it, nearest first.
        doubt: why it is not sure what it held; empty where its owner's template tells.
        heard: what witnesses say of its end.
    """

    obj: JSON
    owners: tuple[Owner, ...]
    doubt: str = ""
    heard: tuple[Testimony, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that witnesses said after a gap.

    Attributes:
        heard: of pods that are lost, by uid, the most trusted first.
        born: pods that came and went.
        untold: pods that came and went of which nothing tells what they held.
    """

    heard: Mapping[str, tuple[Testimony, ...]] = field(default_factory=dict)
    born: tuple[Born, ...] = ()
    untold: int = 0
