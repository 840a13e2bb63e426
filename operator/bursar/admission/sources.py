"""Labels that organisations already use for whose cost something is, by the label they fill."""

from bursar.api import meta

SOURCES = {
    meta.LABEL_TEAM: ("team", "app.kubernetes.io/part-of"),
    meta.LABEL_COST_CENTER: ("cost-center", "costcenter"),
    meta.LABEL_PROJECT: ("project",),
    meta.LABEL_ENVIRONMENT: ("environment", "env"),
}
