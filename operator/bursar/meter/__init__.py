"""Meter: from when to when was what held, and what did that cost?

Decides from pods' own status fields, a holding and the periods of its node's rate; answers with
ends, segments, exact amounts and future flows. It never reads a clock, never rounds anywhere but
in C(t) itself, and never turns an unknown price or share into money.
"""

from bursar.meter.commitments import commitment_segments, revise_commitment, unused
from bursar.meter.correction import recut, splice
from bursar.meter.flows import Member, flows
from bursar.meter.idle import Lines, idle, lines, node_segments
from bursar.meter.life import bound_at, end_of
from bursar.meter.rates import revise
from bursar.meter.segments import (
    PRICE_CHANGE,
    cost,
    cost_between,
    is_priced,
    plain,
    plain_between,
    segments,
    started,
    uncertain_between,
)
from bursar.meter.sums import Slope, Tally, slopes, tally
from bursar.meter.witness import Testimony, displaced, estimate, node_end

__all__ = [
    "PRICE_CHANGE",
    "Lines",
    "Member",
    "Slope",
    "Tally",
    "Testimony",
    "bound_at",
    "commitment_segments",
    "cost",
    "cost_between",
    "displaced",
    "end_of",
    "estimate",
    "flows",
    "idle",
    "is_priced",
    "lines",
    "node_end",
    "node_segments",
    "plain",
    "plain_between",
    "recut",
    "revise",
    "revise_commitment",
    "segments",
    "slopes",
    "splice",
    "started",
    "tally",
    "uncertain_between",
    "unused",
]
