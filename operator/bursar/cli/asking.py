"""Commands that ask for figures: `explain`, `report`, `runs`, `models`, `nodes` and `queue`."""

from typing import Annotated

import typer

from bursar.cli import options
from bursar.cli.options import (
    SECONDS,
    Cluster,
    Context,
    From,
    Interval,
    Kubeconfig,
    Ledger,
    Limit,
    Month,
    Namespace,
    Output,
    Server,
    Timezone,
    To,
    Token,
    TokenFile,
    Watch,
)
from bursar.cli.output import Format
from bursar.cli.source import Source, given


def explain(
    what: Annotated[
        str, typer.Argument(help="pod/NAME, job/NAME, deployment/NAME …", metavar="KIND/NAME")
    ],
    namespace: Namespace = "default",
    uid: Annotated[
        str | None, typer.Option(help="Which of several pods of that name; else the newest.")
    ] = None,
    timezone: Timezone = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    output: Output = Format.TABLE,
) -> None:
    """Say why this class, price, cost and verdict: each step with its inputs, and the whole sum."""
    from bursar.cli import explain as command

    where = options.where(server, token, token_file, kubeconfig, context)
    query = given(uid=uid, timezone=timezone)
    command.show(what, namespace or "default", where, output, query)


def report(
    by: Annotated[
        str, typer.Option(help="Keys to group by, with commas; label:KEY for a report label.")
    ] = "namespace,class",
    only: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only what has KEY=VALUE; may be given several times."),
    ] = None,
    month: Month = None,
    start: From = None,
    to: To = None,
    timezone: Timezone = None,
    namespace: Namespace = None,
    watch: Watch = False,
    interval: Interval = SECONDS,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    output: Output = Format.TABLE,
) -> None:
    """Show what was spent, by any key, with what was idle, so that the sum is the nodes' cost."""
    from bursar.cli import report as command

    where = options.where(server, token, token_file, kubeconfig, context)
    query = given(
        by=by,
        where=",".join(only or ()),
        month=month,
        from_=start,
        to=to,
        timezone=timezone,
        namespace=namespace,
    )
    source = Source(where=where, ledger=ledger, cluster=cluster)
    command.show(query, source, output, every=interval if watch else None)


def runs(
    month: Month = None,
    start: From = None,
    to: To = None,
    timezone: Timezone = None,
    namespace: Namespace = None,
    workload_class: Annotated[
        str | None,
        typer.Option("--class", help="training, inference, interactive, other, unknown."),
    ] = None,
    limit: Limit = 100,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    output: Output = Format.TABLE,
) -> None:
    """Show what each run cost over its whole life: all pods of a top owner, retries included."""
    from bursar.cli import views

    where = options.where(server, token, token_file, kubeconfig, context)
    query = given(
        month=month,
        from_=start,
        to=to,
        timezone=timezone,
        namespace=namespace,
        class_=workload_class,
        limit=limit,
    )
    views.show("runs", query, Source(where=where, ledger=ledger, cluster=cluster), output)


def models(
    month: Month = None,
    start: From = None,
    to: To = None,
    timezone: Timezone = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    ledger: Ledger = None,
    cluster: Cluster = "default",
    output: Output = Format.TABLE,
) -> None:
    """Show what each model's workloads cost, by class."""
    from bursar.cli import views

    where = options.where(server, token, token_file, kubeconfig, context)
    source = Source(where=where, ledger=ledger, cluster=cluster)
    views.show("models", given(month=month, from_=start, to=to, timezone=timezone), source, output)


def nodes(
    accelerator: Annotated[str | None, typer.Option(help="Only nodes with this one.")] = None,
    watch: Watch = False,
    interval: Interval = SECONDS,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    output: Output = Format.TABLE,
) -> None:
    """Show each node with accelerators: its price and where that is from, and what idles now."""
    from bursar.cli import views

    source = Source(where=options.where(server, token, token_file, kubeconfig, context))
    every = interval if watch else None
    views.show("nodes", given(accelerator=accelerator), source, output, every=every)


def queue(
    namespace: Namespace = None,
    watch: Watch = False,
    interval: Interval = SECONDS,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    server: Server = None,
    token: Token = None,
    token_file: TokenFile = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what waits for a budget, why, until when, and in which order."""
    from bursar.cli import views

    source = Source(where=options.where(server, token, token_file, kubeconfig, context))
    every = interval if watch else None
    views.show("queue", given(namespace=namespace), source, output, every=every)


COMMANDS = (explain, report, runs, models, nodes, queue)
"""In the order in which `bursar --help` lists them."""
