"""What the policies must know of a pod: whether it uses an accelerator, and whether it is small.

Both are compiled from `recognize.resources`, the table that metering reads too, so that what is
stamped, refused and charged for cannot drift apart. Every field is taken as optional: a missing one
would be an evaluation error, and a policy that fails closed would then refuse whatever lacks it.
"""

from bursar.admission import cel
from bursar.admission.placeholders import RESOURCES
from bursar.recognize import resources

MOST_CONTAINERS = 100
MOST_LIMITS = 24
MOST_VARIABLES = 1000
MOST_WORDS = 2000
MOST_KEYS = 500

ACCELERATED_RESOURCE = f"(k.matches({cel.text(resources.NAME_PATTERN)}) || k in {RESOURCES})"
"""Whether `k` is the name of an accelerator resource."""

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


SMALL = cel.all_of(
    f"size({containers('object.spec')}) <= {MOST_CONTAINERS}",
    f"{containers('object.spec')}.all(c, "
    + cel.all_of(
        f"size(c.?resources.?limits.orValue({{}})) <= {MOST_LIMITS}",
        f"size(c.?env.orValue([])) <= {MOST_VARIABLES}",
        f"size(c.?command.orValue([])) <= {MOST_WORDS}",
        f"size(c.?args.orValue([])) <= {MOST_WORDS}",
    )
    + ")",
    f"size({cel.labels_of('object')}) <= {MOST_KEYS}",
    f"size({cel.annotations_of('object')}) <= {MOST_KEYS}",
)
"""Whether a check at birth can afford this pod. Judged by `size()` alone: anything that looks into
the parts of an oversized pod overruns the cost limit, and the stamp's `Ignore` would then let it
pass with whatever labels it forged. The policy that refuses the unstamped has the same caps."""
