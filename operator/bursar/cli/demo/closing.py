"""Acts 7 and 8: the ledger against plain arithmetic, and the report."""

from fractions import Fraction
from importlib.resources import files
from typing import Any

from bursar.cli.demo.closedform import Life, Price, life, moment, nano, price
from bursar.cli.demo.opening import TEAM
from bursar.cli.demo.stage import Stage, need
from bursar.domain.money import format_fraction, format_nano
from bursar.domain.time import SECOND, Ms, format_time

JSON = dict[str, Any]

_BOOK = "demo-minutes-for-hours"


def proving(stage: Stage) -> None:
    """The operator comes back; its ledger must equal the closed form, to the nano-unit."""
    screen, cluster = stage.screen, stage.cluster
    pid = cluster.start_operator()
    screen.say(f"The operator is back (process {pid}); it replays what it missed.")

    def ended() -> Ms | None:
        pods = [pod for pod in cluster.pods() if pod["metadata"]["name"] in stage.accepted]
        done = all(pod["status"]["phase"] == "Succeeded" for pod in pods)
        return cluster.clock if done and len(pods) == len(stage.accepted) else None

    # The end of the window: a whole second, after those lives, that all pods have lived through.
    stage.until = stage.wait("the pods of the dark time to end", 60, ended)
    prices = _prices(stage)
    nodes = cluster.nodes()
    lives = [
        life(pod, nodes[pod["spec"]["nodeName"]], stage.until)
        for pod in cluster.pods()
        if pod["spec"].get("nodeName")
    ]
    rows = _report(stage, "namespace,pod")["rows"]
    booked = {(row["key"]["namespace"], row["key"]["pod"]): nano(row["cost"]) for row in rows}
    owed = {(each.namespace, each.name): _cost(each, prices) for each in lives}
    need(booked.keys() == owed.keys(), f"not in both: {sorted(booked.keys() ^ owed.keys())}")
    _show(stage, lives, prices, booked)
    wrong = [key for key in owed if owed[key] != booked[key]]
    need(not wrong, f"the ledger differs for {wrong}: {[booked[k] - owed[k] for k in wrong]} nano")
    both = f"{format_nano(sum(booked.values()), 9)} = {format_nano(sum(owed.values()), 9)} USD"
    screen.proven(
        f"{len(owed)} pods, the ledger and the closed form: {both}; each pod is equal to the"
        " nano-unit, across the kill."
    )
    _overshoot(stage)


def _cost(each: Life, prices: dict[str, Price]) -> int:
    return prices[each.node].cost(each.share, each.end - each.start)


def _show(
    stage: Stage,
    lives: list[Life],
    prices: dict[str, Price],
    booked: dict[tuple[str, str], int],
) -> None:
    """Some pods, with the whole sum."""
    dark = [each for each in lives if each.name in stage.accepted][-2:]
    kinds = {each.node: each for each in lives if each.name not in stage.accepted}
    for each in [*kinds.values(), *dark]:
        rate = prices[each.node].total
        seconds = format_fraction(Fraction(each.end - each.start, SECOND), 0)
        stage.screen.line(
            f"{each.name}: {format_fraction(rate, 4)}/h × {each.share} × {seconds} s ÷ 3600 ="
            f" {format_nano(_cost(each, prices), 9)}"
            f" (ledger {format_nano(booked[each.namespace, each.name], 9)})"
        )


def _overshoot(stage: Stage) -> None:
    standing = next(
        each for each in stage.cluster.read("budgets")["budgets"] if each["namespace"] == TEAM
    )
    stage.screen.line(
        f"AIBudget {TEAM}: {standing['spent']} of {standing['limits']['cost']} USD. Shut means that"
        " nothing new starts; what runs goes on, and counts."
    )


def _prices(stage: Stage) -> dict[str, Price]:
    catalog = files("bursar.price").joinpath("data", "catalog.json").read_text("utf-8")
    book = stage.cluster.price_book(_BOOK)
    found = {name: price(node, book, catalog) for name, node in stage.cluster.nodes().items()}
    return {name: each for name, each in found.items() if each is not None}


def _report(stage: Stage, by: str) -> JSON:
    """The report of the whole demo, up to the end of the window."""
    begun = min(moment(each["metadata"]["creationTimestamp"]) for each in _nodes(stage))
    window = {"from": format_time(begun), "to": format_time(stage.until)}
    return stage.cluster.read("report", {"by": by, **window})


def _nodes(stage: Stage) -> list[JSON]:
    return list(stage.cluster.nodes().values())


def reporting(stage: Stage) -> None:
    """Who spent what; what was allocated and what idled is what the nodes cost."""
    screen, cluster = stage.screen, stage.cluster
    report = _report(stage, "namespace,class")
    rows = [(*row["key"].values(), *_figures(row)) for row in report["rows"]]
    rows += [(f"({name})", "", *_figures(report[name])) for name in ("idle", "total")]
    command = f"bursar report --by namespace,class --from {report['from']} --to {report['to']}"
    screen.say(f"From the operator's read API, as `{command}` asks it:")
    screen.table(("NAMESPACE", "CLASS", "COST", "GPU-HOURS", "PODS"), rows)
    prices = _prices(stage)
    whole = sum(
        prices[node["metadata"]["name"]].cost(
            Fraction(1), stage.until - moment(node["metadata"]["creationTimestamp"])
        )
        for node in _nodes(stage)
        if node["metadata"]["name"] in prices
    )
    allocated = sum(nano(row["cost"]) for row in report["rows"])
    idle, total = nano(report["idle"]["cost"]), nano(report["total"]["cost"])
    need(allocated + idle == total, "the rows and idle do not add up to the total")
    need(total == whole, f"the total is {total} nano-units, the nodes cost {whole}")
    screen.proven(
        f"allocated {format_nano(allocated, 9)} + idle {format_nano(idle, 9)} ="
        f" {format_nano(total, 9)} USD, what {len(prices)} nodes cost since they were made."
    )
    metrics = cluster.metrics() or {}
    need("bursar_cost_total" in metrics, "the metrics endpoint does not answer")
    ours = sum(name.startswith("bursar_") for name in metrics)
    screen.line(f"metrics: {cluster.url}/metrics ({ours} names)")
    screen.line(f"report:  {cluster.url}/api/v1/report")


def _figures(row: JSON) -> tuple[str, str, str]:
    hours = format_fraction(Fraction(row["gpuHours"]), 4)
    return format_fraction(Fraction(row["cost"]), 4), hours, str(row["pods"] or "")
