"""A report the long way: every live row of the ledger, one by one, with the meter's closed form.

What the product reads from sums by hour and day must equal it to the nano-unit.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from bursar.domain.rate import Rate
from bursar.meter import cost_between, is_priced, plain_between, uncertain_between
from bursar.report import Window
from bursar.runtime.ledger import Reader
from bursar.runtime.ledger.rows import StoredInterval

NANO = 10**9


@dataclass
class Plain:
    """Sums of rows: nano-units, 10^-9 ms, uids."""

    capex: int = 0
    opex: int = 0
    estimated: int = 0
    assumed: int = 0
    gpu: int = 0
    unpriced: int = 0
    pods: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)

    def figures(self) -> dict[str, int]:
        names = ("capex", "opex", "estimated", "assumed", "gpu", "unpriced")
        counts = {"pods": len(self.pods), "uncounted": len(self.uncounted)}
        return {name: getattr(self, name) for name in names} | counts


def device_time(part, fraction, upto):
    stop = upto if part.end is None else min(upto, part.end.at)
    held = (part.devices or Fraction(0)) * fraction * NANO
    return (held * max(0, stop - part.start)).__floor__()


def by_row(
    reader: Reader, window: Window, now: int, key: Callable[[StoredInterval], str]
) -> dict[str, dict[str, int]]:
    """Figures of pods by a key."""
    found: defaultdict[str, Plain] = defaultdict(Plain)
    for entry in reader.intervals(window.since, window.until):
        part = entry.segment
        to = min(window.until, max(now, part.start)) if part.end is None else window.until
        cost, plain = cost_between(part, window.since, to), found[key(entry)]
        plain.capex += cost.capex
        plain.opex += cost.opex
        plain.estimated += uncertain_between(part, window.since, to).total
        plain.assumed += cost.total if isinstance(part.rate, Rate) and part.rate.assumed else 0
        gpu = device_time(part, entry.device_fraction, max(to, window.since))
        gpu -= device_time(part, entry.device_fraction, window.since)
        plain.gpu += gpu
        plain.unpriced += 0 if is_priced(part) else gpu
        plain.pods.add(entry.pod_uid)
        if part.devices is None:
            plain.uncounted.add(entry.pod_uid)
    return {name: plain.figures() for name, plain in found.items()}


def of_nodes(reader: Reader, window: Window, now: int) -> dict[str, tuple[int, int]]:
    """CapEx and OpEx of what the nodes cost, and of its parts that no pod pays."""
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])

    def add(name, cost, sign=1):
        found[name][0] += sign * cost.capex
        found[name][1] += sign * cost.opex

    for entry in reader.node_intervals(window.since, window.until):
        to = min(window.until, now) if entry.segment.end is None else window.until
        whole = cost_between(entry.segment, window.since, to)
        devices = plain_between(entry.segment, window.since, to)
        add("nodes", whole)
        add("cpuMemory", whole - devices)
        add("idle", devices)
    for entry in reader.intervals(window.since, window.until):
        to = min(window.until, now) if entry.segment.end is None else window.until
        plain = plain_between(entry.segment, window.since, to)
        add("idle", plain, -1)
        add("recovery", plain - cost_between(entry.segment, window.since, to))
    return {name: (capex, opex) for name, (capex, opex) in found.items()}
