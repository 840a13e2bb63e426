"""The ledger as accountants keep it: in PostgreSQL through kills and outages, and by command."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bursar.runtime.ledger import Ledger
from bursar.sandbox import operator, processes
from support.closedform import HOUR_MS, PodWatch, bound, finished, moment, money, nanos
from support.lives import Fleet
from support.postgres import PASSWORD, Postgres
from support.product import SOURCE, Product, settle, until
from support.replicas import Replica, as_operator

pytestmark = pytest.mark.cluster

Start = Callable[[], Replica]


@pytest.fixture
def start(product: Product, postgres_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts operators whose ledger is in PostgreSQL, as the chart has them find it.

    Another cluster's is in the same database.
    """
    Ledger.open(postgres_url, "another").close()
    sandbox = product.sandbox
    sandbox.on_this_machine("it is started as a process")
    sandbox.stop_operator()
    running: list[processes.Process] = []

    def begin() -> Replica:
        access = as_operator(sandbox, tmp_path / f"kubeconfig-{len(running)}")
        (port,) = processes.free_ports(1)
        argv = operator.command(sandbox.state, access, port)
        at = argv.index("--ledger")
        env = {
            **{key: value for key, value in os.environ.items() if key != "KUBECONFIG"},
            "PYTHONPATH": str(SOURCE),
            "BURSAR_WATCH_PODS": "Stamped",
            "BURSAR_LEDGER": postgres_url,
        }
        log = tmp_path / "operator.log"
        made = processes.spawn("operator", argv[:at] + argv[at + 2 :], log, env=env)
        running.append(made)
        found = Replica(port=port, process=made)
        sandbox.wait(lambda: found.leads, what="the operator ready")
        return found

    yield begin
    processes.stop(running, 20.0)


def test_in_postgresql_it_is_exact_though_both_are_killed_and_clusters_share_it(
    product: Product,
    start: Start,
    postgres: Postgres,
    namespace: str,
    watch: PodWatch,
    tmp_path: Path,
) -> None:
    running = start()
    since = int(time.time()) * 1000
    fleet = Fleet(product, namespace, watch)
    across = [fleet.create(index, 9) for index in range(3)]
    for name in across:
        fleet.wait(name, "running")
    postgres.kill()
    during = [fleet.create(index, 1) for index in range(3)]
    for name in during:
        fleet.wait(name, "finished")
    product.sandbox.wait(lambda: "ledger:" in running.get("/readyz")[1], what="it says so")
    assert running.get("/livez")[0] == 200, "nobody restarts it: it keeps what it knows"
    assert "bursar_ledger_healthy 0.0" in running.get("/metrics")[1]
    postgres.start()
    product.sandbox.wait(lambda: running.leads, what="it writes again")
    processes.kill(running.process)
    gone = [fleet.create(index, 1) for index in (0, 3)]
    for name in gone:
        fleet.wait(name, "finished")
    running = start()
    for name in fleet.asked:
        fleet.wait(name, "finished")
    to = max(finished(seen.last) or 0 for seen in watch.pods.values()) + 1000
    for _ in until(to + 1000):
        pass

    def figures() -> dict[str, tuple[str, str]]:
        query = f"by=namespace,pod&namespace={namespace}&from={moment(since)}&to={moment(to)}"
        rows = running.report(query)
        return {row["key"]["pod"]: (row["cost"], row["gpuHours"]) for row in rows}

    settle(figures, fleet.by_hand())
    done = product.cli("ledger", "verify", "--server", running.url, "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["differences"]) == (0, []), done.stderr
    log = (tmp_path / "operator.log").read_text("utf-8")
    assert log.count("refuses writes; they are kept in memory") <= 4, "once a change"
    assert "takes writes again" in log
    assert PASSWORD not in log
    refused = product.cli("ledger", "backup", str(tmp_path / "x.db"), "--server", running.url)
    assert (refused.returncode, "pg_dump" in refused.stderr) == (1, True)


def test_a_wrong_price_is_corrected_and_the_month_before_is_closed(
    product: Product, namespace: str, watch: PodWatch, tmp_path: Path
) -> None:
    fleet = Fleet(product, namespace, watch)
    since = int(time.time()) * 1000
    ended = fleet.create(0, 2)
    lasting = fleet.create(0, None)
    fleet.wait(ended, "finished")
    fleet.wait(lasting, "running")
    seen = watch.pods[ended].last
    begin, end = bound(seen), finished(seen)
    assert begin is not None
    assert end is not None
    for _ in until(end + 2000):
        pass

    def cost(name: str) -> int:
        found = product.report(by="namespace,pod", since=moment(since))["rows"]
        return sum(nanos(row["cost"]) for row in found if row["key"]["pod"] == name)

    settle(lambda: cost(ended), fleet.nano(ended, end))
    product.sandbox.create(book("e2e-corrected", since - 1000))
    try:
        product.sandbox.wait(lambda: _priced(product, "e2e-corrected"), what="the book in force")
        counted = sum(product.samples("bursar_cost_total", namespace=namespace).values())
        window = ("--from", moment(since), "--reason", "a typing error", "-o", "json")
        told = _cli(product, "ledger", "rerate", *window, "--dry-run")
        (mine,) = (each for each in told["namespaces"] if each["namespace"] == namespace)
        assert (mine["count"], nanos(mine["after"]) < nanos(mine["before"])) == (2, True)
        assert cost(ended) == fleet.nano(ended, end), "nothing was done yet"
        told = _cli(product, "ledger", "rerate", *window)
        assert told["reference"].startswith("rerate-")
        by_hand = (Fraction(8 * 10**9 * 3 * (end - begin), 8 * HOUR_MS)).__floor__()
        assert cost(ended) == by_hand
        again = _cli(product, "ledger", "rerate", *window)
        assert again["namespaces"] == []
        after = sum(product.samples("bursar_cost_total", namespace=namespace).values())
        assert after >= counted, "Prometheus would take a lower counter for a restart"
        product.kill()  # what was corrected is in the ledger, and what goes on follows it
        product.start()
        fleet.delete(lasting)
        gone = fleet.wait(lasting, "gone")
        assert gone.gone is not None
        settle(lambda: cost(ended), by_hand)
    finally:
        product.sandbox.kubectl("delete", "pricebook", "e2e-corrected")
    assert _cli(product, "ledger", "verify", "-o", "json")["different"] == 0

    (month,) = _months(product)
    closed = _cli(product, "ledger", "close", month, "--by", "ada", "-o", "json")
    assert (closed["already"], closed["by"]) == (False, "ada")
    assert _cli(product, "ledger", "close", month, "-o", "json")["already"]
    assert [each["month"] for each in _cli(product, "ledger", "close", "--list", "-o", "json")] == [
        month
    ]
    now = _run(product, "ledger", "close", moment(since)[:7])
    assert (now.returncode, "is not over" in now.stderr) == (1, True)

    copy = tmp_path / "copy.db"
    kept = _cli(product, "ledger", "backup", str(copy), "-o", "json")
    assert (kept["clusters"], kept["bytes"]) == (["default"], copy.stat().st_size)
    here = ("--ledger", str(copy), "-o", "json")
    assert _cli(product, "ledger", "verify", *here)["different"] == 0
    target = str(tmp_path / "restored.db")
    _cli(product, "ledger", "restore", str(copy), "--ledger", target, "-o", "json")
    rows = _cli(product, "report", "--by", "namespace,pod", "--from", moment(since),
                "--ledger", target, "-o", "json")["rows"]  # fmt: skip
    assert money(by_hand) in [row["cost"] for row in rows if row["key"]["pod"] == ended]
    if product.sandbox.deployed:
        return  # its ledger's file is on the pod's own volume
    busy = product.cli("ledger", "restore", str(copy), "--ledger",
                       str(product.sandbox.state.dir / "ledger.db"))  # fmt: skip
    assert (busy.returncode, "scale the operator to 0" in busy.stderr) == (1, True)


def book(name: str, since: int) -> dict[str, Any]:
    """The h100's nodes cost 8 an hour, and did so since a moment."""
    rate = {
        "name": "h100",
        "nodeSelector": {"node.kubernetes.io/instance-type": "p5.48xlarge"},
        "perHour": "8",
        "validFrom": moment(since),
    }
    return {
        "apiVersion": "bursar.dev/v1alpha1",
        "kind": "PriceBook",
        "metadata": {"name": name},
        "spec": {"rates": [rate]},
    }


def _priced(product: Product, name: str) -> bool:
    _, answer = product.ask("nodes")
    return any(name in (node["origin"] or "") for node in answer["nodes"])


def _months(product: Product) -> list[str]:
    """The month before this one."""
    now = time.gmtime()
    year, month = (now.tm_year, now.tm_mon - 1) if now.tm_mon > 1 else (now.tm_year - 1, 12)
    return [f"{year}-{month:02d}"]


def _run(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    if product.sandbox.deployed and arguments[0] == "ledger" and "--ledger" not in arguments:
        # What changes the ledger needs a token, or a port-forward.
        arguments = (*arguments, "--server", product.sandbox.direct)
    return product.cli(*arguments)


def _cli(product: Product, *arguments: str) -> Any:
    done = _run(product, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
