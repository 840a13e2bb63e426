"""How answers are printed: a table for people, JSON, YAML or CSV for programs."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

PIPE_WIDTH = 240


class Format(StrEnum):
    """Form of the output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


def print_rows(
    rows: Sequence[Mapping[str, Any]],
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
    match output:
        case Format.JSON:
            sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")
        case Format.YAML:
            import yaml

            yaml.safe_dump(whole, sys.stdout, sort_keys=False, allow_unicode=True)
        case Format.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_cell(row.get(key)) for key in columns] for row in rows)
        case Format.TABLE:
            _print_table(rows, columns)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in columns))
    # A pipe has no width: a program that reads the table must not find it wrapped.
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    console.print(table)


def _cell(value: object) -> str:
    return "" if value is None else str(value)
