"""How the demo speaks: a live picture on a terminal, plain lines that only grow elsewhere."""

import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from bursar.cli.demo.view import PRICES, Snapshot, table

_PLAIN_WIDTH = 100
_PLAIN_SECONDS = 4.0
"""Between two lines of progress where no terminal is attached."""


class Screen:
    """Standard output."""

    def __init__(self, acts: int) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace", line_buffering=True)
        self._acts = acts
        self._heading = ""
        self._console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)

    def act(self, number: int, title: str) -> None:
        """Begin an act."""
        self._heading = f"{number}/{self._acts} {title}"
        self._console.print()
        if self._console.is_terminal:
            left = Text.assemble((self._heading, "bold cyan"), (f"  {PRICES}", "dim"))
            self._console.print(Rule(left, align="left", characters="─"))
        else:
            self._write(f"== {self._heading}  [{PRICES}]")

    def say(self, text: str) -> None:
        """Say what happens."""
        self._write(text)

    def proven(self, text: str) -> None:
        """Say what was just proven."""
        self._write(text, mark="✓ ", style="green")

    def quote(self, command: str, output: str) -> None:
        """Show a command and what it really said."""
        self._write(f"$ {command}", style="bold")
        for line in output.rstrip("\n").splitlines():
            self._write(line, indent=2, style="yellow" if line.startswith("Warning") else "")

    def line(self, text: str, style: str = "") -> None:
        """One line of a list."""
        self._write(text, indent=2, style=style)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table that stays."""
        self._console.print(Padding(table(columns, rows), (0, 0, 0, 2), expand=False))

    @contextmanager
    def live(self, what: str) -> Iterator[Callable[[Snapshot], None]]:
        """Show snapshots while something is waited for."""
        if not self._console.is_terminal:
            yield self._plain(what)
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            begun = time.monotonic()

            def show(snapshot: Snapshot) -> None:
                waited = f"{time.monotonic() - begun:.0f} s"
                head = Text.assemble(
                    (f"{snapshot.clock}  ", "dim"), (f"waiting for {what}, {waited}", "bold")
                )
                foot = Text(f"{snapshot.money}  ({PRICES})", "dim")
                tables = snapshot.tables(self._console.height)
                live.update(Group(Text(), head, Text(), *tables, Text(), foot), refresh=True)

            yield show

    def _plain(self, what: str) -> Callable[[Snapshot], None]:
        said = [""]
        due = [time.monotonic() + 1.0]

        def show(snapshot: Snapshot) -> None:
            told = snapshot.line()
            if told == said[0] or time.monotonic() < due[0]:
                return
            if not said[0]:
                self._write(f"waiting for {what}", indent=2)
            self._write(f"{snapshot.clock[11:]} {told}", indent=2)
            said[0], due[0] = told, time.monotonic() + _PLAIN_SECONDS

        return show

    def _write(self, text: str, *, indent: int = 0, mark: str = "", style: str = "") -> None:
        """Write a paragraph: wrapped with its indent on a terminal, one line elsewhere."""
        whole = Text.assemble((mark, "bold green"), (text, style))
        if self._console.is_terminal:
            self._console.print(Padding(whole, (0, 0, 0, indent)))
        else:
            self._console.print(
                " " * indent + mark + text, soft_wrap=True, markup=False, highlight=False
            )
