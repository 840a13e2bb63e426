"""Lines for a terminal: columns, bars, headings and wrapped sentences, none wider than asked for.

Widths are in cells, so that names in any script keep the columns straight.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from rich.console import Console
from rich.text import Text

GAP = 1
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a grid.

    Attributes:
        width: in cells; 0 for the one that takes what the others leave.
        right: whether its cells stand at its right edge.
    """

    heading: str
    width: int
    right: bool = False


def grid(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Text]],
    width: int,
    details: Sequence[Sequence[Text]] = (),
) -> Iterator[Text]:
    """A heading and a line for each row.

    Args:
        columns: in order.
        rows: cells; what does not fit is cut with an ellipsis.
        width: of a whole line.
        details: lines that stand below each row.
    """
    rest = width - sum(column.width + GAP for column in columns) + GAP
    widths = [column.width or rest for column in columns]
    yield _line(columns, widths, [Text(column.heading, "dim") for column in columns])
    for index, row in enumerate(rows):
        yield _line(columns, widths, row)
        for detail in details[index] if index < len(details) else ():
            yield cut(detail, width)


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Text]) -> Text:
    fitted = []
    for column, width, cell in zip(columns, widths, cells, strict=True):
        text = cut(cell, width)
        if column.right:
            text.pad_left(width - text.cell_len)
        else:
            text.pad_right(width - text.cell_len)
        fitted.append(text)
    line = Text(" " * GAP).join(fitted)
    line.rstrip()
    return line


def cut(text: Text, width: int) -> Text:
    """A copy, not wider than asked for."""
    copy = text.copy()
    copy.truncate(width, overflow="ellipsis")
    return copy


def heading(title: str, note: str, width: int) -> Iterator[Text]:
    """An empty line, and a title with a rule to the right edge."""
    yield Text()
    line = Text(title, "bold underline")
    if note:
        line.append(f"  {note}", "not bold not underline dim")
    yield cut(line, width)


def bar(part: Fraction, whole: Fraction, width: int, label: str) -> Text:
    """A share as a bar with its label."""
    full = int(width * part / whole) if whole else 0
    line = Text("█" * full, "green")
    line.append("░" * (width - full), "dim")
    line.append(f" {label}")
    return line


def wrapped(text: Text, width: int, indent: str = "", first: str | None = None) -> Iterator[Text]:
    """A sentence in as many lines as it needs.

    Args:
        text: the sentence.
        width: of a whole line, indent included.
        indent: before each line.
        first: before the first line in place of the indent.
    """
    lines = text.wrap(_measure(), max(10, width - len(indent)), overflow="fold")
    for index, line in enumerate(lines):
        line.rstrip()
        opening = first if first is not None and not index else indent
        yield Text(opening) + line


@cache
def _measure() -> Console:
    """A console that only lends its measure of characters."""
    return Console(file=io.StringIO())
