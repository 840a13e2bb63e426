"""Labels by which organisations say whose cost something is.

The stamping policy and the operator read the same keys in the same order.
"""

from collections.abc import Mapping

from bursar.api import meta

FIELDS: Mapping[str, str] = {
    "team": meta.LABEL_TEAM,
    "cost_center": meta.LABEL_COST_CENTER,
    "project": meta.LABEL_PROJECT,
    "environment": meta.LABEL_ENVIRONMENT,
}
"""Fields of an Allocation and our own label for each, in the order of the fields.

Our labels count on owners and namespaces. On a pod they are what the stamp wrote, so reading them
there would take a verdict for its own evidence."""

SOURCE_KEYS: Mapping[str, tuple[str, ...]] = {
    "team": ("team", "app.kubernetes.io/part-of"),
    "cost_center": ("cost-center", "costcenter"),
    "project": ("project",),
    "environment": ("environment", "env"),
}
"""Keys that are in use already, first match first, after our own."""
