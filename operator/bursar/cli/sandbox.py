"""`bursar sandbox`: starts and ends the control plane of the demo and the tests.

Progress goes to standard error, so that standard output holds the answer and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bursar.cli.output import Format, print_rows

app = typer.Typer(no_args_is_help=True)
operator = typer.Typer(no_args_is_help=True)
app.add_typer(operator, name="operator", help="Start or stop the sandbox's operator.")

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="The sandbox's directory; several may run side by side."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the output.")]

_COLUMNS = {"name": "WHAT", "value": "VALUE"}
_PROCESS_COLUMNS = {"name": "PROCESS", "pid": "PID", "alive": "ALIVE", "log": "LOG"}


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A place for lines of progress: a live line with the time on a terminal, else plain lines."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("…", total=None)
        yield lambda line: bar.update(task, description=line)


@app.command()
def up(
    folder: Folder = None,
    nodes: Annotated[
        int, typer.Option(min=0, help="Fake GPU nodes; 0: one of each of the fleet's models.")
    ] = 0,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Use this existing cluster instead of starting one.")
    ] = None,
    with_operator: Annotated[
        bool, typer.Option("--operator/--no-operator", help="Start the operator too.")
    ] = True,
    chart: Annotated[bool, typer.Option("--chart/--no-chart", hidden=True)] = True,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Start a Prometheus that scrapes the operator.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Start a control plane with fake GPU nodes, the chart and the operator; leave it running."""
    from bursar import sandbox

    options = sandbox.UpOptions(
        dir=folder or sandbox.default_dir(),
        nodes=nodes,
        operator=with_operator,
        chart=chart,
        kubeconfig=kubeconfig,
        prometheus=prometheus,
    )
    with progress() as report:
        state = sandbox.up(options, report)
    _print(state.contract(), output)


@app.command()
def down(folder: Folder = None) -> None:
    """End a sandbox and delete all it left, its ledger too."""
    from bursar import sandbox

    place = folder or sandbox.default_dir()
    with progress() as report:
        found = sandbox.down(place, report)
    typer.echo(f"the sandbox in {place} is gone" if found else f"no sandbox in {place}", err=True)


@app.command()
def status(folder: Folder = None, output: Output = Format.TABLE) -> None:
    """Show what of a sandbox lives; exits with 1 when something of it is dead."""
    from bursar import sandbox

    found = sandbox.status(folder or sandbox.default_dir())
    print_rows(found["processes"], _PROCESS_COLUMNS, output, found)
    if not all(process["alive"] for process in found["processes"]):
        raise typer.Exit(1)


@app.command()
def env(folder: Folder = None) -> None:
    """Print the shell's commands that point kubectl and Bursar at a sandbox, to be evaluated.

    In the shell: eval "$(bursar sandbox env)"
    """
    import shlex

    from bursar import sandbox

    state = sandbox.load_state(folder or sandbox.default_dir())
    typer.echo(f"export KUBECONFIG={shlex.quote(str(state.kubeconfig))}")
    typer.echo(f'export PATH={shlex.quote(str(state.kubectl.parent))}:"$PATH"')


@operator.command("start")
def operator_start(folder: Folder = None, output: Output = Format.JSON) -> None:
    """Start the operator, or start it again after it was killed; prints where it is."""
    from bursar import sandbox

    with progress() as report:
        report("starting the operator")
        state = sandbox.operator_start(folder or sandbox.default_dir())
    # A script that started it again reads its pid and URL at the top, or as in the answer of `up`.
    contract = state.contract()
    _print({**contract["operator"], **contract}, output)


@operator.command("stop")
def operator_stop(folder: Folder = None, output: Output = Format.JSON) -> None:
    """Stop the operator; the control plane goes on."""
    from bursar import sandbox

    state = sandbox.operator_stop(folder or sandbox.default_dir())
    _print(state.contract(), output)


def _print(contract: dict[str, Any], output: Format) -> None:
    """Print the sandbox's addresses; JSON on one line."""
    running = contract["operator"] or {}
    flat = {
        **contract,
        "operator": running.get("url"),
        "metricsUrl": running.get("metricsUrl"),
    }
    rows = [{"name": name, "value": value} for name, value in flat.items() if value]
    print_rows(rows, _COLUMNS, output, contract)
    if output is Format.TABLE:
        typer.echo(f"export KUBECONFIG={contract['kubeconfig']}")
