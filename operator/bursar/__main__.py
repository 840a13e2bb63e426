"""Start: `bursar …`, `kubectl bursar …` or `python -m bursar …`."""

import sys


def main() -> None:
    """Run the command line; a known error is one line on stderr and a non-zero exit."""
    from bursar.cli.app import app
    from bursar.errors import BursarError

    try:
        app()
    except BursarError as error:
        print(f"bursar: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(getattr(error, "exit_code", 1))


if __name__ == "__main__":
    main()
