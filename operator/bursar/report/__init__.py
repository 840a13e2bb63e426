"""Report: what was spent in a window, by whatever people ask for.

Decides from lines that are cut to the window already; groups and sums them, exactly. It never
rounds before it writes, never shows what is unknown as zero, and never leaves anything out: rows
and idle together are what the nodes cost.
"""

from bursar.report.contract import to_contract
from bursar.report.figures import Figures, Report, Row, report
from bursar.report.keys import KEYS, UnknownKey, parse_keys
from bursar.report.line import IdleLine, Line
from bursar.report.runs import RunFigures, RunLine, run_to_contract, runs
from bursar.report.window import BadWindow, Window, parse_window

__all__ = [
    "KEYS",
    "BadWindow",
    "Figures",
    "IdleLine",
    "Line",
    "Report",
    "Row",
    "RunFigures",
    "RunLine",
    "UnknownKey",
    "Window",
    "parse_keys",
    "parse_window",
    "report",
    "run_to_contract",
    "runs",
    "to_contract",
]
