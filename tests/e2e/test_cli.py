"""The command line as people and their scripts use it against a running operator."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest
import yaml

from bursar.sandbox import processes
from support.closedform import PodWatch, bound
from support.lives import Fleet
from support.policies import Place, job
from support.product import NODES, SOURCE, Product, budget, gpu_pod

pytestmark = pytest.mark.cluster

FIGURES = {
    *("cost", "capex", "opex", "gpuHours", "normalizedGpuHours", "energyKWh", "kgCO2e"),
    *("estimatedCost", "assumedCost", "pods"),
}
ONE = {"nvidia.com/gpu": 1}
DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")


def answer(product: Product, *arguments: str) -> Any:
    """What a command prints as JSON, on one line."""
    done = product.cli(*arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


@pytest.fixture
def name(product: Product, namespace: str, watch: PodWatch) -> str:
    """A pod that runs, and is paid by a budget."""
    product.sandbox.create(budget("vision", namespace, limits={"cost": "1000"}))
    fleet = Fleet(product, namespace, watch)
    created = fleet.create(0, None)
    fleet.wait(created, "running")
    product.sandbox.wait(
        lambda: product.ask(f"explain/pod/{namespace}/{created}")[0] == 200, what="the pod known"
    )
    return created


def test_status_shows_every_budget(product: Product, namespace: str, name: str) -> None:
    def burning() -> dict[str, Any] | None:
        rows = answer(product, "status", "-n", namespace)
        return rows[0] if rows and rows[0]["burnPerHour"] == "20.640000" else None

    row = product.sandbox.wait(burning, what=f"the burn rate of {name}", timeout=30)
    assert (row["namespace"], row["name"], row["ready"]) == (namespace, "vision", "True")
    assert set(row) == {
        *("namespace", "name", "limit", "spent", "used", "burnPerHour", "exhaustsAt"),
        *("shutFor", "reopensAt", "held", "ready"),
    }
    everywhere = answer(product, "status")
    assert row["name"] in [each["name"] for each in everywhere if each["namespace"] == namespace]
    table = product.cli("status").stdout
    assert "BURN/H" in table
    assert "vision" in table


@pytest.mark.usefixtures("name")
def test_report_keeps_its_contract(product: Product, namespace: str) -> None:
    found = answer(product, "report", "--by", "namespace,class")
    assert set(found) == {"currency", "from", "to", "by", "rows", "idle", "total", "energy"}
    assert found["by"] == ["namespace", "class"]
    row = next(each for each in found["rows"] if each["key"]["namespace"] == namespace)
    assert set(row) >= {"key", *FIGURES}
    assert set(row["key"]) == {"namespace", "class"}
    for part in (row, found["idle"], found["total"]):
        assert set(part) >= FIGURES
        money = [part[k] for k in ("cost", "capex", "opex", "gpuHours", "normalizedGpuHours")]
        assert all(DECIMAL.fullmatch(text) for text in money)
        assert isinstance(part["pods"], int)

    month = found["to"][:7]
    assert answer(product, "report", "--month", month)["from"] == f"{month}-01T00:00:00Z"
    cut = answer(product, "report", "--from", found["from"], "--to", found["to"])
    assert (cut["from"], cut["to"]) == (found["from"], found["to"])
    server = answer(product, "report", "--server", product.url, "--by", "team")
    assert server["by"] == ["team"]


@pytest.mark.usefixtures("name")
def test_report_speaks_every_form(product: Product, namespace: str) -> None:
    lines = list(csv.DictReader(io.StringIO(product.cli("report", "-o", "csv").stdout)))
    assert namespace in [line["namespace"] for line in lines]
    assert {line["line"] for line in lines} == {"allocated", "idle"}
    document = yaml.safe_load(product.cli("report", "-o", "yaml").stdout)
    assert set(document) == {"currency", "from", "to", "by", "rows", "idle", "total", "energy"}
    table = product.cli("report").stdout
    assert "(idle)" in table
    assert "(total)" in table


def test_a_ledger_is_read_without_an_operator(product: Product, namespace: str, name: str) -> None:
    product.sandbox.on_this_machine("its ledger is a file on the pod's own volume")
    product.sandbox.stop_operator()
    ledger = f"sqlite:///{product.sandbox.dir / 'ledger.db'}"
    found = answer(product, "report", "--ledger", ledger, "--by", "namespace,pod")
    assert {"namespace": namespace, "pod": name} in [row["key"] for row in found["rows"]]
    # What reads the API server alone still answers.
    assert answer(product, "status", "-n", namespace)[0]["name"] == "vision"


def test_explain_tells_each_step_of_a_pod_and_of_a_job(
    product: Product, namespace: str, name: str
) -> None:
    found = answer(product, "explain", f"pod/{name}", "-n", namespace)
    assert [step["step"] for step in found["steps"]] == [
        *("recognize", "classify", "allocate", "price", "meter", "budget")
    ]
    assert all(step["question"] and step["answer"] for step in found["steps"])
    by_name = {step["step"]: step for step in found["steps"]}
    assert by_name["recognize"]["answer"] == "h100-sxm5-80gb"
    assert any("3 of 8 devices" in line for line in by_name["recognize"]["details"])
    assert any("catalog" in line for line in by_name["price"]["details"])
    assert any("x 3/8 x" in line for line in by_name["meter"]["details"])
    assert any("AIBudget vision" in line for line in by_name["budget"]["details"])
    text = product.cli("explain", f"pod/{name}", "-n", namespace, "--server", product.url).stdout
    assert "what does its node cost an hour?" in text
    assert "3 of 8 devices of" in text
    (row,) = found["sum"]["rows"]
    assert (row["share"], row["end"], found["sum"]["goesOn"]) == ("3/8", None, True)
    again = answer(product, "report", "--by", "pod", "-n", namespace, "--where", f"pod={name}")
    assert float(again["rows"][0]["cost"]) >= float(found["sum"]["cost"]) > 0

    template = gpu_pod("l4-shared", {"nvidia.com/gpu": 1}, 1)
    made = job(template)
    made["spec"]["template"]["spec"]["nodeSelector"] = NODES["l4-shared"]
    place = Place(sandbox=product.sandbox, namespace=namespace)
    created = place.attempt(made, keep=True).object["metadata"]["name"]
    product.sandbox.wait(
        lambda: product.ask(f"explain/job/{namespace}/{created}")[0] == 200, what="the Job known"
    )
    told = answer(product, "explain", f"job/{created}", "-n", namespace)
    assert [step["step"] for step in told["steps"]] == ["classify", "enforce"]
    assert told["steps"][1]["answer"] == "its pods may start"


def test_a_waiting_pod_is_explained_too(product: Product, namespace: str, watch: PodWatch) -> None:
    place = Place(sandbox=product.sandbox, namespace=namespace)
    waiting = gpu_pod("h100", {"nvidia.com/gpu": 800})
    name = str(place.attempt(waiting, keep=True).object["metadata"]["name"])
    product.sandbox.wait(
        lambda: product.ask(f"explain/pod/{namespace}/{name}")[0] == 200, what="the pod known"
    )
    product.sandbox.wait(lambda: name in watch.pods, what="the pod seen")
    assert bound(watch.pods[name].last) is None
    steps = {
        s["step"]: s for s in answer(product, "explain", f"pod/{name}", "-n", namespace)["steps"]
    }
    assert "waits" in steps["meter"]["answer"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["explain", "banana"], "is not KIND/NAME", id="no kind"),
        pytest.param(["runs", "--class", "big"], "parameter class: 'big'", id="no class"),
        pytest.param(["runs", "-n", "A/B"], "parameter namespace: 'A/B'", id="no namespace"),
        pytest.param(
            ["nodes", "--server", "http://127.0.0.1:1"], "does not answer", id="nodes of nobody"
        ),
        pytest.param(
            ["queue", "--server", "http://127.0.0.1:1", "--token-file", "/none"],
            "/none: No such file",
            id="no token",
        ),
        pytest.param(["explain", "pod/none"], "no pod default/none", id="no such pod"),
        pytest.param(["report", "--by", "color"], "the keys are namespace", id="no such key"),
        pytest.param(["report", "--from", "soon"], "is no moment", id="no moment"),
        pytest.param(["report", "--month", "2026-13"], "is no month", id="no month"),
        pytest.param(
            ["report", "--server", "http://127.0.0.1:1"], "does not answer", id="no operator"
        ),
        pytest.param(["report", "--ledger", "sqlite:////none.db"], "ledger", id="no ledger"),
        pytest.param(["status", "--context", "mars"], "mars", id="no such context"),
        pytest.param(["sandbox", "operator", "start", "--dir", "none"], "no sandbox", id="no dir"),
    ],
)
def test_a_failure_is_one_line_and_a_code(
    product: Product, arguments: list[str], said: str
) -> None:
    done = product.cli(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line != "starting the operator"]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bursar: ")
    assert said in lines[0]


def test_a_listing_that_is_piped_into_head_ends_quietly(product: Product) -> None:
    command = f"{sys.executable} -m bursar report -o json | head -c 1"
    environment = {"KUBECONFIG": str(product.sandbox.kubeconfig), "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert done.stdout == "{"
    assert done.stderr == ""


@pytest.mark.usefixtures("name")
@pytest.mark.parametrize(
    "arguments", [["status"], ["report", "--by", "namespace"]], ids=lambda words: words[0]
)
def test_what_is_watched_follows_line_by_line_until_ctrl_c(
    product: Product, namespace: str, arguments: list[str]
) -> None:
    environment = {"KUBECONFIG": str(product.sandbox.kubeconfig), "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        [sys.executable, "-m", "bursar", *arguments, "-w", "--interval", "0.5", "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as watching:
        assert watching.stdout is not None
        lines = [json.loads(watching.stdout.readline()) for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        _, problems = watching.communicate(timeout=60)
    assert namespace in json.dumps(lines[-1])
    assert lines[0] != lines[1] != lines[2]
    assert (watching.returncode, problems) == (0, "")


@pytest.mark.usefixtures("name")
def test_runs_nodes_and_models_show_what_there_is(product: Product, namespace: str) -> None:
    found = answer(product, "runs", "-n", namespace, "--from", "1d")
    (run,) = found["runs"]
    assert (run["kind"], run["namespace"], run["end"]) == ("Pod", namespace, None)
    assert float(run["cost"]) > 0
    nodes = {each["name"]: each for each in answer(product, "nodes")["nodes"]}
    busy = next(each for name, each in nodes.items() if name.startswith("h100"))
    assert float(busy["allocatedDevices"]) >= 3
    assert float(busy["allocatedCostPerHour"]) + float(busy["idleCostPerHour"]) == pytest.approx(
        float(busy["costPerHour"])
    )
    models = answer(product, "models")
    assert sum(float(each["cost"]) for each in models["models"]) > 0
    for command in ("runs", "nodes", "models", "queue"):
        for form in ("table", "yaml", "csv"):
            done = product.cli(command, "-o", form)
            assert done.returncode == 0, done.stderr
            assert done.stdout


def test_the_ledger_tells_runs_and_models_too(product: Product, namespace: str, name: str) -> None:
    product.sandbox.on_this_machine("its ledger is a file on the pod's own volume")
    product.sandbox.stop_operator()
    ledger = f"sqlite:///{product.sandbox.dir / 'ledger.db'}"
    found = answer(product, "runs", "--ledger", ledger, "-n", namespace)
    assert [run["name"] for run in found["runs"]] == [name]
    assert answer(product, "models", "--ledger", ledger)["count"] >= 1


def test_what_waits_stands_below_the_budgets(product: Product, namespace: str, name: str) -> None:
    hold = [{"percent": 100, "actions": ["Hold"]}]
    product.sandbox.create(budget("shut", namespace, limits={"cost": "0.001"}, thresholds=hold))
    made = job(gpu_pod("h100", ONE, 1))
    place = Place(sandbox=product.sandbox, namespace=namespace)
    product.sandbox.wait(
        lambda: "AIBudget shut is shut" in place.attempt(gpu_pod("h100", ONE)).said,
        what="the budget shut",
    )
    created = place.attempt(made, keep=True).object["metadata"]["name"]

    def waiting() -> list[dict[str, Any]]:
        return [
            each
            for each in answer(product, "queue", "-n", namespace)["queue"]
            if each["state"] == "Held"
        ]

    (held,) = product.sandbox.wait(waiting, what=f"{created} held, since {name} burns")
    assert (held["name"], held["position"]) == (created, 1)
    assert held["heldBy"] == ["AIBudget shut"]
    assert held["reasons"][0].startswith("AIBudget shut is shut")
    assert held["until"].endswith("T00:00:00Z")
    table = product.cli("status", "-n", namespace)
    assert "waiting" in table.stdout
    assert created in table.stdout
    # Without an operator the budgets are shown all the same.
    product.sandbox.stop_operator()
    table = product.cli("status", "-n", namespace)
    assert table.returncode == 0
    assert "shut" in table.stdout
    assert "what waits is not known: " in table.stderr


def test_a_kubeconfig_that_is_not_there_is_one_line_too(product: Product) -> None:
    done = product.cli("status", env={"KUBECONFIG": "/nowhere/config"})
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "/nowhere/config" in done.stderr


def test_the_sandboxs_operator_is_stopped_and_started_by_its_contract(product: Product) -> None:
    product.sandbox.on_this_machine("the cluster starts it, not the sandbox")
    folder = str(product.sandbox.dir)
    before = product.sandbox.state.operator
    assert before is not None
    stopped = answer(product, "sandbox", "operator", "stop", "--dir", folder)
    assert stopped["operator"] is None
    assert not processes.alive(before.process)
    started = answer(product, "sandbox", "operator", "start", "--dir", folder)
    assert set(started) == {
        *("dir", "kubeconfig", "kubectl", "server", "version", "operator", "prometheusUrl"),
        *("pid", "url", "metricsUrl"),
    }
    running = started["operator"]
    assert running == {key: started[key] for key in ("pid", "url", "metricsUrl")}
    assert running["metricsUrl"] == f"{running['url']}/metrics"
    assert "bursar_build_info" in product.metrics()
    again = answer(product, "sandbox", "operator", "start", "--dir", folder)
    assert again["operator"] == running, "one that lives is left alone"
    # Killed, it is started again at the same address.
    product.kill()
    third = answer(product, "sandbox", "operator", "start", "--dir", folder)["operator"]
    assert third["pid"] != running["pid"]
    assert third["url"] == running["url"]
