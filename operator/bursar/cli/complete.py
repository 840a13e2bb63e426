"""Completion of `kubectl bursar …`, in the form in which kubectl asks its plugins for it.

One candidate a line, with its help behind a tab, and a last line `:4`: no files are offered.
"""

from collections.abc import Sequence

NO_FILES = ":4"


def answer(words: Sequence[str]) -> str:
    """The candidates.

    Args:
        words: what stands after `kubectl bursar`; the last is the one to be completed, which may
            be empty.
    """
    from typer._completion_classes import BashComplete
    from typer.main import get_command

    from bursar.cli.app import app

    done, incomplete = list(words[:-1]), words[-1] if words else ""
    # Which shell it is does not matter: kubectl's own script puts the candidates into the shell.
    shell = BashComplete(get_command(app), {}, "bursar", "_BURSAR_COMPLETE")
    found = shell.get_completions(done, incomplete)
    lines = [f"{each.value}\t{each.help}" if each.help else each.value for each in found]
    return "\n".join([*lines, NO_FILES]) + "\n"
