"""The shape of a rule, and how much a verdict is worth: shared by Python and the admission policy.

A rule's pattern must mean the same in Python's `re` and in RE2 (the API server's CEL): no
look-around, no back-references, no possessive quantifiers. A contract test compiles each with both.
"""

from dataclasses import dataclass
from enum import StrEnum

from bursar.domain.classification import DecidedBy, WorkloadClass


class Where(StrEnum):
    """Which text of a pod a rule looks at. Pieces of a text are joined by one blank.

    `IMAGE`: the images. `COMMAND`: commands and arguments, container after container. `ENV`: the
    environment as `NAME=value`. `OWNER`: the kinds of the owners as `Kind.group` (`Kind` alone in
    the core group). `LABEL`: the pod's labels but ours as `key=value`. `SHAPE`: `port:N` for each
    container port, `probe:ready` where a container has a readiness probe, then `restart:Policy`.
    `NAME`: the pod's name, else its generateName, then its owners' names (weak evidence only).
    Init containers are not looked at: they prepare.
    """

    IMAGE = "image"
    COMMAND = "command"
    ENV = "env"
    OWNER = "owner"
    LABEL = "label"
    SHAPE = "shape"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One named reason.

    Attributes:
        name: lower-kebab, unique in the table.
        pattern: regular expression, searched (not anchored) in the text, case-sensitive.
        weight: log-odds added to the class when it matches, once however often it matches;
            negative where it speaks against the class. A multiple of a quarter, so that sums are
            exact in every order.
        decided_by: KNOWN for software and kinds that are AI by publication, else DISCOVERED.
        activity: the finer word that this rule implies, empty for none.
        why: one line: what is true of the world that makes this evidence.
    """

    name: str
    where: Where
    pattern: str
    workload_class: WorkloadClass
    weight: float
    decided_by: DecidedBy
    activity: str
    why: str


MINIMUM = 1.5
"""A class whose sum is below this is `unknown`."""

CONFIDENCE_STEPS: tuple[tuple[float, float], ...] = (
    (7.0, 0.98),
    (5.0, 0.95),
    (3.5, 0.9),
    (2.0, 0.8),
    (1.0, 0.65),
    (0.0, 0.5),
)
"""(margin between the best and the second class, confidence), the first that fits: a step function,
because CEL has no exponentials and both sides must agree. Calibrated on labelled manifests."""

TEXT_LIMIT = 4096
"""Characters of each text that are looked at: CEL charges by length (architecture: at birth)."""
