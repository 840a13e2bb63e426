"""docs/reference/metrics.md: every metric family, its type, its labels, what it counts."""

from __future__ import annotations

from bursar.runtime.metrics import EVENT_LAG, FAMILIES, LAG_BUCKETS, MAX_SERIES, OTHER

PATH = "docs/reference/metrics.md"

HEAD = f"""# Metrics

Made by `hack/generate.py` from `operator/bursar/runtime/metrics.py`.

Scraped from `/metrics` of the operator. Counters are the ledger's totals, so they go on over a
restart where they stopped, and are never lowered. A family has at most {MAX_SERIES:,} series; of
what is beyond them, the labels that tenants write (`team`, `model`) become `{OTHER}`, and the
samples are summed.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def reference() -> dict[str, str]:
    """The page, by its path."""
    rows = [
        _row(family.exposed, "counter" if family.counter else "gauge", family.labels, family.help)
        for family in FAMILIES
    ]
    rows.append(
        _row("bursar_build_info", "gauge", ("version", "currency"), "Version of Bursar; always 1.")
    )
    buckets = ", ".join(f"{bound:g}" for bound in LAG_BUCKETS)
    name, text = EVENT_LAG
    rows.append(_row(name, "histogram", (), f"{text} Buckets, in seconds: {buckets}."))
    return {PATH: HEAD + "".join(rows)}


def _row(name: str, kind: str, labels: tuple[str, ...], text: str) -> str:
    shown = ", ".join(f"`{label}`" for label in labels)
    return f"| `{name}` | {kind} | {shown} | {text} |\n"
