"""Start: `bursar …`, `kubectl bursar …` or `python -m bursar …`."""

import os
import sys
from pathlib import Path

PLUGIN = "kubectl-bursar"
"""The name by which kubectl finds it."""


def main() -> None:
    """Run the command line; a known error is one line on stderr and a non-zero exit."""
    from bursar.cli.app import app
    from bursar.errors import BursarError

    try:
        app(prog_name="kubectl bursar" if _is_plugin() else "bursar")
    except BursarError as error:
        _flush()
        problem = " ".join(str(error).split())
        print(f"bursar: {problem}", file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(getattr(error, "exit_code", 1))
    finally:
        _flush()


def complete() -> None:
    """Complete `kubectl bursar …`: kubectl runs `kubectl_complete-bursar` with the words so far."""
    from bursar.cli.complete import answer

    sys.stdout.write(answer(sys.argv[1:]))


def _is_plugin() -> bool:
    return Path(sys.argv[0]).name.startswith(PLUGIN)


def _flush() -> None:
    """Write out what is left; a reader that has gone (`| head`) is no error of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
