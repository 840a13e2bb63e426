"""What a report is made of: one line a row of the ledger, one a node for what it idled."""

from dataclasses import dataclass
from fractions import Fraction

from bursar.domain.usage import Cost, Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one pod held of one resource at one rate, cut to the window.

    Attributes:
        workload: the root owner as `Kind/name`.
        pod: the pod's name; `pod_uid` tells pods of one name apart.
        gpu_ms: in whole accelerators.
        estimated: the part of the cost that rests on an estimated end, nano-units.
        assumed: a default stood in for an unknown price.
        priced: false where the money is not known (`cost` then holds none).
        counted: false where not even the devices are known (`gpu_ms` then holds none).
    """

    dimension: Dimension
    node: str
    workload: str
    pod: str
    pod_uid: str
    cost: Cost
    gpu_ms: Fraction
    estimated: int = 0
    assumed: bool = False
    priced: bool = True
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleLine:
    """What of one node nobody held in the window, signed.

    Attributes:
        assumed: part of the node's cost that rests on an assumed price, less what its pods paid
            at such a price.
        unpriced_gpu_ms: idle accelerator time without a price.
    """

    node: str
    accelerator: str
    cost: Cost
    gpu_ms: Fraction
    assumed: int = 0
    unpriced_gpu_ms: Fraction = Fraction(0)
