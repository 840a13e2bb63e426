"""How answers are printed: a table for people, JSON, YAML or CSV for programs."""

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

PIPE_WIDTH = 240
PLACES = 4
"""Decimals of money and hours in tables; the other forms keep all."""
Row = Mapping[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a formula begins with in one spreadsheet or another."""
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


class Format(StrEnum):
    """Form of the output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows under their headings.

    Attributes:
        columns: heading by key, in order; only these are shown.
        title: stands above the table.
    """

    rows: Sequence[Row]
    columns: Mapping[str, str]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer in all its forms.

    Attributes:
        document: what JSON and YAML show.
        blocks: what a table shows.
        lines: what CSV shows, its keys the headings; None: the first block.
        notes: what a person must know of it besides.
    """

    document: object
    blocks: Sequence[Block]
    lines: Block | None = None
    notes: Sequence[str] = ()


def print_page(page: Page, output: Format, *, again: bool = False) -> None:
    """Print an answer.

    Args:
        page: the answer.
        output: its form.
        again: it follows an earlier one, whose headings are not repeated.
    """
    match output:
        case Format.JSON:
            sys.stdout.write(json.dumps(page.document, ensure_ascii=False) + "\n")
        case Format.YAML:
            import yaml

            sys.stdout.write("---\n" if again else "")
            yaml.safe_dump(page.document, sys.stdout, sort_keys=False, allow_unicode=True)
        case Format.CSV:
            block = page.lines or page.blocks[0]
            writer = csv.writer(sys.stdout)  # lines end as RFC 4180 says
            if not again:
                writer.writerow(_inert(key) for key in block.columns)
            writer.writerows(
                [_inert(_cell(row.get(key))) for key in block.columns] for row in block.rows
            )
        case Format.TABLE:
            from rich.console import Console

            # A pipe has no width: a program that reads the table must not find it wrapped.
            console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
            for part in tables(page):
                console.print(part, highlight=False)
            for note in page.notes:
                Console(stderr=True).print(note, style="dim", highlight=False, soft_wrap=True)


def print_rows(
    rows: Sequence[Row],
    columns: Mapping[str, str],
    output: Format,
    document: object | None = None,
) -> None:
    """Print rows.

    Args:
        rows: what to print.
        columns: heading by key, in order; table and CSV show these only.
        output: the form.
        document: what JSON and YAML show in place of the rows.
    """
    whole = rows if document is None else document
    print_page(Page(document=whole, blocks=[Block(rows=rows, columns=columns)]), output)


def tables(page: Page) -> "Iterator[RenderableType]":
    """An answer as a terminal shows it."""
    from rich.text import Text

    for block in page.blocks:
        if block.title:
            yield Text(block.title, style="bold")
        yield _table(block)


def _table(block: Block) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in block.columns.values():
        table.add_column(heading, overflow="fold")
    for row in block.rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in block.columns))
    return table


def cut(text: object) -> object:
    """A decimal string with the decimals that a person reads."""
    if not isinstance(text, str):
        return text
    whole, point, decimals = text.partition(".")
    return f"{whole}.{decimals[:PLACES]}" if point and decimals.isdigit() else text


def _inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula: tenants write names; numbers stay numbers."""
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _cell(value: object) -> str:
    return "" if value is None else str(value)
