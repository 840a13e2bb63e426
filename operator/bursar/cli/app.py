"""All commands. What is heavy is imported inside each, so that `bursar --help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer

from bursar import __version__
from bursar.cli import asking, options
from bursar.cli.options import (
    SECONDS,
    Context,
    Interval,
    Kubeconfig,
    Namespace,
    Output,
    Server,
    Token,
    TokenFile,
    Watch,
)
from bursar.cli.output import Format

app = typer.Typer(
    name="bursar",
    help="Label, meter and budget GPU AI workloads on Kubernetes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bursar {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Label, meter and budget GPU AI workloads on Kubernetes."""


@app.command()
def run(
    kubeconfig: Annotated[Path | None, typer.Option(help="Without one: the Pod's own.")] = None,
    namespace: Annotated[str | None, typer.Option(help="The operator's namespace.")] = None,
    service_account: Annotated[str | None, typer.Option(help="Its ServiceAccount.")] = None,
    service: Annotated[str | None, typer.Option(help="Its Service.")] = None,
    ledger: Annotated[str | None, typer.Option(help="Where the ledger is kept: a URL.")] = None,
    http_host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    http_port: Annotated[int | None, typer.Option(help="Port; 0: a free one.")] = None,
    api_open_to: Annotated[
        str | None, typer.Option(help="Networks that read without a token, with commas.")
    ] = None,
    api_write_open_to: Annotated[
        str | None, typer.Option(help="Networks that change the ledger without a token.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="Observe or Enforce.")] = None,
    watch_pods: Annotated[
        str | None, typer.Option(help="Stamped: those labelled at birth; or All.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Reporting currency, ISO 4217.")] = None,
    cluster_name: Annotated[str | None, typer.Option(help="Name of this cluster.")] = None,
    default_rate_per_device_hour: Annotated[
        str | None, typer.Option(help="Last resort of the price path; marked as assumed.")
    ] = None,
    catalog_stale_days: Annotated[
        int | None, typer.Option(help="Days after which the price catalog is stale.")
    ] = None,
    ledger_keep_intervals_days: Annotated[
        int | None, typer.Option(help="Days for which single pods are kept; 0: for ever.")
    ] = None,
    ledger_keep_hourly_days: Annotated[
        int | None, typer.Option(help="Days for which sums by the hour are; 0: for ever.")
    ] = None,
    prometheus_url: Annotated[
        str | None, typer.Option(help="Prometheus that has OpenCost's prices of nodes.")
    ] = None,
    opencost_query: Annotated[str | None, typer.Option(help="What it is asked for.")] = None,
    opencost_currency: Annotated[str | None, typer.Option(help="What they are in.")] = None,
    report_labels: Annotated[
        str | None, typer.Option(help="Keys of pods' labels to report by, with commas.")
    ] = None,
    accelerator_resources: Annotated[
        str | None, typer.Option(help="Further names of whole accelerators, with commas.")
    ] = None,
    metrics_workload_retention: Annotated[
        str | None, typer.Option(help="How long ended workloads keep their metrics: 90m.")
    ] = None,
    metrics_max_workloads: Annotated[
        int | None, typer.Option(help="Workloads with series of their own.")
    ] = None,
    metrics_max_teams: Annotated[
        int | None, typer.Option(help="Teams with series of their own.")
    ] = None,
    metrics_max_models: Annotated[
        int | None, typer.Option(help="Models with series of their own.")
    ] = None,
    metrics_settle_seconds: Annotated[
        int | None, typer.Option(help="By how much counters lag behind what runs.")
    ] = None,
    energy_utilization: Annotated[
        str | None, typer.Option(help="Part of the board power drawn, by class: training=0.8.")
    ] = None,
    leader_elect: Annotated[
        bool | None,
        typer.Option("--leader-elect", help="One of several replicas: the others wait."),
    ] = None,
    checkpoint_seconds: Annotated[
        int | None, typer.Option(help="How often what is open is written to the ledger.")
    ] = None,
    pod_name: Annotated[str | None, typer.Option(help="Name of the Pod that this is.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
) -> None:
    """Run the operator. Each option can also be set as BURSAR_NAME_OF_OPTION."""
    flags = dict(locals())
    from bursar import settings
    from bursar.runtime.operator import run as run_operator

    run_operator(settings.load(flags))


@app.command()
def status(
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
    """Show every budget: limit, spent, burn rate, when it is used up; and what waits, in turn."""
    from bursar.cli import status as command

    where = options.where(server, token, token_file, kubeconfig, context)
    command.show(where, namespace, output, every=interval if watch else None)


@app.command(name="release-all")
def release_all(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even where an operator would suspend them again.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Let all Jobs go on that Bursar suspended; no operator is needed."""
    from bursar.cli import release as command

    query = command.Query(
        kubeconfig=kubeconfig, context=context, namespace=namespace, dry_run=dry_run, force=force
    )
    command.run(query, output)


for _command in asking.COMMANDS:
    app.command()(_command)


@app.command()
def audit(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Only this namespace; may be given several times."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Workloads to show.")] = 10,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all workloads, and all there is to do.")
    ] = False,
    currency: Annotated[str, typer.Option(help="Of all sums, ISO 4217.")] = "USD",
    price_book: Annotated[
        str | None, typer.Option(help="File with PriceBooks that count, too; - for standard input.")
    ] = None,
    suggest_budgets: Annotated[
        bool, typer.Option("--suggest-budgets", help="Print starter AIBudgets from what runs now.")
    ] = False,
    suggest_prices: Annotated[
        bool, typer.Option("--suggest-prices", help="Print a PriceBook of prices to check.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show this cluster's GPU workloads, costs, idle devices, and what to do first; read-only."""
    from bursar.cli import audit as command

    query = command.Query(
        kubeconfig=kubeconfig,
        context=context,
        namespaces=tuple(dict.fromkeys(namespace or ())),
        limit=None if everything else limit,
        currency=currency,
        price_book=price_book,
        suggest_budgets=suggest_budgets,
        suggest_prices=suggest_prices,
    )
    command.show(query, output)


@app.command()
def classify(
    file: Annotated[str, typer.Option("--file", "-f", help="Manifests; - for standard input.")],
    output: Output = Format.TABLE,
) -> None:
    """Say the class of manifests that are not submitted yet, and why."""
    from bursar.cli.classify import classify as command

    command(file, output)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the sandbox running.")] = False,
) -> None:
    """Show Bursar at work on a real API server: labels, budgets, a hold, a kill, a report."""
    from bursar.cli.demo import play

    play(keep=keep)


def _add_sandbox() -> None:
    from bursar.cli.sandbox import app as sandbox

    app.add_typer(sandbox, name="sandbox", help="A real control plane without containers.")


def _add_ledger() -> None:
    from bursar.cli.ledger import app as ledger

    app.add_typer(ledger, name="ledger", help="Verify, re-rate, close and back up the ledger.")


_add_sandbox()
_add_ledger()
