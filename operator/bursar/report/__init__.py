"""Report: what was spent in a window, by whatever people ask for.

Decides from lines that are cut to the window already; groups and sums them, exactly. It never
rounds before it writes, never shows what is unknown as zero, and never leaves anything out: rows
and what no pod pays for together are what the nodes cost.
"""

from bursar.report.calendar import TIMES, TooFine, stretches
from bursar.report.contract import to_contract
from bursar.report.figures import Figures, Report, Row, Rules, TooMany, report
from bursar.report.keys import (
    KEYS,
    PODS,
    BadFilter,
    UnknownKey,
    accepts,
    check_labels,
    parse_filters,
    parse_keys,
)
from bursar.report.line import Amounts, Energy, EnergyModel, Line, Other, OtherLine, Use
from bursar.report.runs import RunFigures, RunName, dearest, run_to_contract
from bursar.report.window import BadWindow, Window, parse_window

__all__ = [
    "KEYS",
    "PODS",
    "TIMES",
    "Amounts",
    "BadFilter",
    "BadWindow",
    "Energy",
    "EnergyModel",
    "Figures",
    "Line",
    "Other",
    "OtherLine",
    "Report",
    "Row",
    "Rules",
    "RunFigures",
    "RunName",
    "TooFine",
    "TooMany",
    "UnknownKey",
    "Use",
    "Window",
    "accepts",
    "check_labels",
    "dearest",
    "parse_filters",
    "parse_keys",
    "parse_window",
    "report",
    "run_to_contract",
    "stretches",
    "to_contract",
]
