"""Whose cost a new pod is, as far as pod and namespace say, in CEL.

First of the pod's own source keys, then the namespace's, then `unallocated`; the operator corrects
what owners and budgets say. Our own keys count on namespaces, where they are guarded, and never on
pods, where the stamp drops them as forged.
"""

from bursar.admission import cel
from bursar.allocate import FIELDS, SOURCE_KEYS
from bursar.domain.allocation import UNALLOCATED

LABELS = tuple(FIELDS.values())
"""The labels that are told at birth."""


def value(label: str) -> str:
    """The value for one of `LABELS`."""
    field = next(name for name, own in FIELDS.items() if own == label)
    keys = SOURCE_KEYS[field]
    places = [("variables.labels", key) for key in keys]
    places += [("variables.ns", key) for key in (label, *keys)]
    # An empty value says nothing.
    candidates = ", ".join(f'{where}[?{cel.text(key)}].orValue("")' for where, key in places)
    return f'([{candidates}].filter(v, v != "") + [{cel.text(UNALLOCATED)}])[0]'
