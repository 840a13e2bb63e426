"""Shows an answer again and again: in place on a terminal, one after the other in a pipe."""

import sys
import time
from collections.abc import Callable

from bursar.cli.output import Format, Page, print_page, tables
from bursar.errors import BursarError


def show(read: Callable[[], Page], output: Format, *, every: float | None) -> None:
    """Print an answer, once or until Ctrl-C.

    Args:
        read: asks for it.
        output: its form.
        every: seconds between two looks; None: look once.

    Raises:
        BursarError: the first look failed. Later ones are told of, and tried again.
    """
    page = read()
    if every is None:
        print_page(page, output)
        return
    try:
        if output is Format.TABLE and sys.stdout.isatty():
            _in_place(page, read, every)
        else:
            _append(page, read, output, every)
    except KeyboardInterrupt:
        return


def _append(page: Page, read: Callable[[], Page], output: Format, every: float) -> None:
    """Print what has changed since: JSON Lines, YAML documents, CSV lines, tables."""
    print_page(page, output)
    told = ""
    while True:
        sys.stdout.flush()
        time.sleep(every)
        try:
            fresh = read()
        except BursarError as error:
            if str(error) != told:
                told = str(error)
                sys.stderr.write(f"bursar: {told}; trying again\n")
            continue
        told = ""
        if fresh.document != page.document:
            print_page(fresh, output, again=True)
        page = fresh


def _in_place(page: Page, read: Callable[[], Page], every: float) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    def frame(page: Page, problem: str = "") -> Group:
        notes = [Text(note, style="dim") for note in page.notes]
        state = Text(f"{problem}; trying again", style="red") if problem else Text("")
        return Group(*tables(page), *notes, state, Text(_FOOT.format(every), style="dim"))

    with Live(frame(page), auto_refresh=False) as live:
        live.refresh()
        while True:
            time.sleep(every)
            try:
                page = read()
            except BursarError as error:
                live.update(frame(page, str(error)), refresh=True)
            else:
                live.update(frame(page), refresh=True)


_FOOT = "looked at every {:g} s; Ctrl-C ends"
