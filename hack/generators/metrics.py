"""docs/reference/metrics.md: every metric family, its type, its labels, what it counts."""

from __future__ import annotations

from bursar.runtime.counting.places import MAX_SERIES, OTHER
from bursar.runtime.metrics.families import (
    EVENT_LAG,
    EXACT,
    FAMILIES,
    LAG_BUCKETS,
    LIMITED,
    MODELED,
    NOW,
    PROCESS,
    PROMISES,
)

PATH = "docs/reference/metrics.md"

HEAD = """# Metrics

Made by `hack/generate.py` from `operator/bursar/runtime/metrics/families.py`.

Scraped from `/metrics` of the operator, as OpenMetrics 1.0 with created timestamps (`_created`) to
whoever asks for it, else as Prometheus' text format 0.0.4. [How to query
cost](../explanation/querying-cost.md) says what to make of it.

What is promised of each:

| promise | what may be relied upon |
|---|---|
"""

FAMILIES_HEAD = f"""
Names that tenants write are bounded: as many teams and models as the settings `metrics-max-teams`
and `metrics-max-models` say, first come, first served; of use that comes with a further name that
label is `{OTHER}`. So it is for both labels beyond {MAX_SERIES:,} series of use. As many workloads
as `metrics-max-workloads` says have series of their own; others are counted in one with
`{OTHER}` for every label. What was decided holds for ever, over restarts too.

| metric | type | labels | promise | meaning |
|---|---|---|---|---|
"""


def reference() -> dict[str, str]:
    """The page, by its path."""
    rows = [
        _row(
            family.exposed,
            "counter" if family.counter else "gauge",
            family.labels,
            family.promise,
            family.help,
        )
        for family in FAMILIES
    ]
    rows.append(
        _row(
            "bursar_build_info",
            "gauge",
            ("version", "currency"),
            NOW,
            "Version of Bursar; always 1.",
        )
    )
    buckets = ", ".join(f"{bound:g}" for bound in LAG_BUCKETS)
    name, text = EVENT_LAG
    rows.append(_row(name, "histogram", (), PROCESS, f"{text} Buckets, in seconds: {buckets}."))
    promises = [
        f"| {name} | {PROMISES[name]} |\n" for name in (EXACT, MODELED, LIMITED, PROCESS, NOW)
    ]
    return {PATH: HEAD + "".join(promises) + FAMILIES_HEAD + "".join(rows)}


def _row(name: str, kind: str, labels: tuple[str, ...], promise: str, text: str) -> str:
    shown = ", ".join(f"`{label}`" for label in labels)
    return f"| `{name}` | {kind} | {shown} | {promise} | {text} |\n"
