"""Options that several commands take, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

from bursar.cli.output import Format
from bursar.cli.server import Where

Kubeconfig = Annotated[Path | None, typer.Option(help="Kubeconfig file.", envvar="KUBECONFIG")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the output.")]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Go on showing it, until Ctrl-C.", show_default=False)
]
Interval = Annotated[float, typer.Option(min=0.5, help="Seconds between two looks of --watch.")]

Server = Annotated[
    str | None,
    typer.Option(
        help="URL of the operator's read API; without it the cluster's own proxy leads there.",
        envvar="BURSAR_SERVER",
    ),
]
Token = Annotated[
    str | None, typer.Option(help="Bearer token for --server.", envvar="BURSAR_TOKEN")
]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds that token.")]

Month = Annotated[str | None, typer.Option(help="A whole month: YYYY-MM.")]
From = Annotated[str | None, typer.Option("--from", help="A day, a moment in RFC 3339, or 7d ago.")]
To = Annotated[str | None, typer.Option("--to", help="Likewise; itself excluded.")]
Timezone = Annotated[
    str | None, typer.Option(help="Where days and months begin, such as Europe/Berlin; else UTC.")
]
Ledger = Annotated[str | None, typer.Option(help="Read this ledger itself: a URL.")]
Cluster = Annotated[str, typer.Option(help="Name of the cluster in that ledger.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")]

SECONDS = 2.0


def where(
    server: str | None,
    token: str | None,
    token_file: Path | None,
    kubeconfig: Path | None,
    context: str | None,
) -> Where:
    """What these options say of where the operator is."""
    return Where(
        server=server,
        token=token,
        token_file=token_file,
        kubeconfig=kubeconfig,
        context=context,
    )
