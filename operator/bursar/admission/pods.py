"""What the policies must know of a pod: whether it uses an accelerator, and whether it is small.

Both are compiled from `recognize.resources`, the table that metering reads too, so that what is
stamped, refused and charged for cannot drift apart. Every field is taken as optional: a missing one
would be an evaluation error, and a policy that fails closed would then refuse whatever lacks it.
"""

from bursar.admission import cel
from bursar.admission.placeholders import RESOURCES
from bursar.api import meta
from bursar.recognize import resources

MOST_CONTAINERS = 100
MOST_LIMITS = 500
MOST_LIMIT_CHARACTERS = 10_000
MOST_VARIABLES = 2000
MOST_WORDS = 4000
MOST_PORTS = 1000
MOST_CHARACTERS = 200_000
MOST_KEYS = 500
MOST_OWN_KEYS = 100
MOST_OWNERS = 50
MOST_CLAIMS = 100
MOST_OVERHEAD = 24
"""Caps for a whole pod. They are far above what people write, and low enough that the stamp stays
within CEL's cost limits on every pod below them (a test tries the largest)."""

ACCELERATED_RESOURCE = (
    f'(k.contains("/") && (k.matches({cel.text(resources.NAME_PATTERN)}) || k in {RESOURCES}))'
)
"""Whether `k` is the name of an accelerator resource; processors and memory cost no match."""

_VISIBLE = (
    f"e.name == {cel.text(resources.VISIBLE_DEVICES_ENV)}"
    f' && !(string(e.?value.orValue("all")) in {cel.texts(resources.NO_DEVICES)})'
)


def containers(spec: str) -> str:
    """All containers of a pod spec that run, or run first."""
    return f"({spec}.?containers.orValue([]) + {spec}.?initContainers.orValue([]))"


def sees_devices(container: str) -> str:
    """Whether a container is handed devices past the scheduler, by its environment."""
    return f"{container}.?env.orValue([]).exists(e, {_VISIBLE})"


def uses(spec: str, annotations: str) -> str:
    """Whether a pod uses an accelerator, in any way that recognition knows.

    Args:
        spec: CEL of the pod spec.
        annotations: CEL of the pod's annotations (a map).
    """
    asked = "{}.exists(k, {} && string({}[k]) != '0')"
    limits = "c.?resources.?limits.orValue({})"
    overhead = f"{spec}.?overhead.orValue({{}})"
    return cel.any_of(
        f"{containers(spec)}.exists(c, "
        + cel.any_of(asked.format(limits, ACCELERATED_RESOURCE, limits), sees_devices("c"))
        + ")",
        asked.format(overhead, ACCELERATED_RESOURCE, overhead),
        f"size({spec}.?resourceClaims.orValue([])) > 0",
        f"{cel.texts(resources.ANNOTATIONS)}.exists(a, a in {annotations})",
    )


def _sum(of_container: str) -> str:
    return f"{containers('object.spec')}.map(c, {of_container}).sum()"


def _size(of: str, empty: str = "[]") -> str:
    return f"size({of}.orValue({empty}))"


_LIMITS = "c.?resources.?limits.orValue({})"
_CHARACTERS = (
    'size(string(c.?image.orValue("")))'
    " + c.?command.orValue([]).map(w, size(w)).sum() + c.?args.orValue([]).map(w, size(w)).sum()"
    ' + c.?env.orValue([]).map(e, size(e.name) + size(string(e.?value.orValue("")))).sum()'
)

_FOREIGN_LABELS = f"{cel.labels_of('object')}.filter(k, !k.startsWith({cel.text(meta.PREFIX)}))"

SMALL = cel.all_of(
    f"size({containers('object.spec')}) <= {MOST_CONTAINERS}",
    f"{_sum(f'size({_LIMITS})')} <= {MOST_LIMITS}",
    f"{_sum(_size('c.?env'))} <= {MOST_VARIABLES}",
    f"{_sum(_size('c.?command') + ' + ' + _size('c.?args'))} <= {MOST_WORDS}",
    f"{_sum(_size('c.?ports'))} <= {MOST_PORTS}",
    f"{_size('object.spec.?overhead', '{}')} <= {MOST_OVERHEAD}",
    f"{_size('object.spec.?resourceClaims')} <= {MOST_CLAIMS}",
    f"{_size('object.metadata.?ownerReferences')} <= {MOST_OWNERS}",
    f"{_size('object.metadata.?labels', '{}')} <= {MOST_KEYS + MOST_OWN_KEYS}",
    # Ours are left out: the stamp adds some, and the same caps hold before and after it.
    f"size({_FOREIGN_LABELS}) <= {MOST_KEYS}",
    f"{_size('object.metadata.?annotations', '{}')} <= {MOST_KEYS}",
    # Only now, when there are few enough of them, is it affordable to look at each.
    f"{_sum(f'{_LIMITS}.map(k, size(k)).sum()')} <= {MOST_LIMIT_CHARACTERS}",
    f"{_sum(_CHARACTERS)} <= {MOST_CHARACTERS}",
)
"""Whether a check at birth can afford this pod.

Judged by sizes alone: whatever looks into the parts of an oversized pod overruns the cost limit,
and the stamp's `Ignore` would then let it pass with the labels that it forged. The policy that
refuses the unstamped has the same caps, and fails closed if they themselves cost too much.
"""
