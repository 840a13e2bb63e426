"""`bursar audit` as people and programs read it, whatever tenants call their things."""

import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bursar.cli.app import app
from bursar.cli.audit import render
from bursar.cli.audit.document import CSV_COLUMNS, document, rows
from bursar.cli.audit.snapshot import Gap
from bursar.cli.audit.values import Audit
from bursar.cli.audit.words import fixed, money, percent, plain, span
from bursar.domain.money import NANO
from bursar.domain.time import DAY, HOUR, MINUTE, SECOND
from support.audit import MYSTERY, NOTEBOOK, NOW, SERVE, audit, node, owned, pod

EVIL = "x\x1b[2J\x9b31m\u202e[bold red]y\nz"
GAP = Gap(what="nodes", why="forbidden", so="which devices pods hold is not known")
FULL = owned(pod("a", limits={"nvidia.com/gpu": 8}), "Job", "j")
LONG = "a-name-that-is-as-long-as-names-may-be-" * 6


def busy(**more: Any) -> Audit:
    """A bit of everything."""
    return audit(
        owned(pod("j-1", limits={"nvidia.com/gpu": 3}), "Job", "fine-tune"),
        owned(pod("s-1", SERVE, on="dgx-h100-1", namespace="serving"), "Deployment", "server"),
        owned(pod("n-1", NOTEBOOK, since=NOW - 9 * DAY), "Notebook", "jupyter"),
        pod("mystery", MYSTERY, namespace=LONG[:63]),
        owned(pod("w-1", on=None), "Job", LONG[:63]),
        **({"nodes": (node(), node(number=2), node("dgx-h100"), node("a100-mig"))} | more),
    )


def screen(found: Audit, width: int, limit: int | None = 10) -> list[str]:
    return [line.plain for line in render.lines(found, width, limit)]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize(
    "found",
    [
        busy(),
        busy(nodes=None, gaps=(GAP,)),
        busy(namespaces=("vision",)),
        audit(nodes=()),
        audit(nodes=(), namespaces=("vision",)),
        audit(FULL, labels={"vision": {"team": "t"}}),
    ],
    ids=["busy", "nodes unread", "one namespace", "no GPUs", "no GPUs in what was read", "well"],
)  # fmt: skip
def test_no_line_is_wider_than_the_terminal(found: Audit, width: int) -> None:
    for line in render.lines(found, width, None):
        if not line.plain.lstrip().startswith("$ "):  # commands are copied whole
            assert line.cell_len <= width, line.plain


def test_the_screen_shows_what_matters_in_its_order() -> None:
    lines = screen(busy(), 80)
    titles = ["GPU workloads", "Devices", "Labels", "Waiting GPU pods", "The three things to do"]
    found = [next(i for i, line in enumerate(lines) if line.startswith(t)) for t in titles]
    assert found == sorted(found)
    assert any(line.startswith("fine-tune ") and line.endswith(" 20.64") for line in lines)
    assert any(line.startswith("server ") and line.endswith(" ~10.53") for line in lines)
    assert any("Notebook in vision · 1 pod · held 9 d · $1,486 so far" in line for line in lines)
    assert any(line.startswith("1. ") and "devices are held by nobody" in line for line in lines)


def test_the_limit_bounds_rows_and_says_so() -> None:
    lines = screen(busy(), 80, 1)
    assert any("1 of 5; --all shows all" in line for line in lines)
    assert not any(line.startswith("jupyter") for line in lines)
    assert not any(line.startswith("4. ") for line in lines)
    assert any(line.startswith("4. ") for line in screen(busy(), 80, None))


def test_what_could_not_be_read_is_said_and_shown_as_unknown() -> None:
    lines = screen(busy(nodes=None, gaps=(GAP,)), 80)
    assert any(line.startswith("! nodes: forbidden; which devices") for line in lines)
    figures = lines[lines.index(next(x for x in lines if x.startswith("held, an hour"))) + 1]
    assert figures.split() == ["?", "?", "?", "?"]


def test_a_cluster_without_gpus_is_told_kindly() -> None:
    text = " ".join(screen(audit(nodes=()), 80))
    assert "No GPUs here" in text
    assert "bursar sandbox up" in text


def test_names_cannot_move_the_cursor_or_be_markup() -> None:
    found = audit(
        owned(pod("p", MYSTERY), EVIL, EVIL, labels={"team": EVIL}),
        pod("w", on=None, status={"conditions": []}),
        gaps=(Gap(what=EVIL, why=EVIL, so=EVIL),),
    )
    for line in screen(found, 120, None):
        assert line.isprintable(), repr(line)
    assert "[bold red]" in " ".join(screen(found, 120, None))  # shown, not obeyed
    text = json.dumps(document(found), ensure_ascii=False)
    assert text.isprintable()


def walk(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, dict):
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def test_the_document_keeps_its_contract() -> None:
    found = document(busy())
    assert list(found) == [
        *("version", "at", "context", "server", "serverVersion", "currency", "namespaces"),
        *("installed", "totals", "workloads", "devices", "labels", "waiting", "findings"),
        *("budgets", "notRead"),
    ]
    assert list(found["workloads"][0]) == [
        *("namespace", "kind", "name", "class", "confidence", "decidedBy", "activity", "model"),
        *("evidence", "team", "costCenter", "project", "environment", "allocationSources"),
        *("submittedBy", "pods", "waitingPods", "unpricedPods", "devices"),
        *("podsOfUnknownDevices", "asked", "created", "since", "costPerHour", "costSoFar"),
        *("origins", "assumed", "trouble", "unknown"),
    ]
    assert list(found["devices"][0]) == [
        *("accelerator", "nodes", "nodesOfUnknownDevices", "devices", "held", "idle", "untold"),
        *("costPerHour", "idlePerHour", "idlePerMonth", "idleNodes", "prices"),
    ]
    assert list(found["findings"][0]) == [
        *("code", "title", "detail", "perHour", "next", "command")
    ]
    assert found["workloads"][0]["costPerHour"] == "20.640000"
    assert found["totals"]["gpuPods"] == 4
    # Confidence and weights of evidence are no money; all else that is exact is text.
    assert not any(isinstance(each, float) and each > 20 for each in walk(found))
    assert yaml.safe_load(yaml.safe_dump(found)) == json.loads(json.dumps(found)) == found


def test_unknown_is_null_in_the_document() -> None:
    found = document(busy(nodes=None, gaps=(GAP,)))
    totals, one = found["totals"], found["workloads"][0]
    assert (totals["costPerHour"], totals["idlePerHour"], totals["costSoFar"]) == (None, None, None)
    assert (one["costPerHour"], one["costSoFar"], one["podsOfUnknownDevices"]) == (None, None, 1)
    assert document(busy(namespaces=("vision",)))["devices"][0]["idle"] is None
    assert found["notRead"] == [{"what": GAP.what, "why": GAP.why, "so": GAP.so}]


def test_rows_for_a_spreadsheet_are_flat() -> None:
    for row in rows(document(busy())):
        assert not any(isinstance(row.get(key), dict | list) for key in CSV_COLUMNS)


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": {"creationTimestamp": 7, "labels": ["x"]}, "spec": {"nodeName": {}}},
        pod("a", metadata={"uid": None, "ownerReferences": "none"}),
        pod("a", limits={"nvidia.com/gpu": "1e9999"}),
        pod("a", limits={"nvidia.com/gpu": -1}),
        pod("a", since=NOW + DAY),
    ],
    ids=[
        "an empty object",
        "sections that are null",
        "fields of other types",
        "metadata of other types",
        "a number beyond all bounds",
        "a negative number",
        "a time to come",
    ],
)
def test_odd_objects_are_audited_all_the_same(obj: dict[str, Any]) -> None:
    found = audit(obj, nodes=(node(), obj))
    assert screen(found, 80)
    assert document(found)["at"] == "2026-11-24T12:00:00Z"


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (9 * DAY + 4 * HOUR + MINUTE, "9 d 4 h"),
        (9 * DAY, "9 d"),
        (3 * HOUR + 10 * MINUTE, "3 h 10 m"),
        (12 * MINUTE + 5 * SECOND, "12 m"),
        (40 * SECOND, "40 s"),
        (-5 * SECOND, "0 s"),
    ],
)
def test_lengths_of_time(given: int, text: str) -> None:
    assert span(given) == text


def test_money_is_rounded_down_and_never_to_nothing() -> None:
    assert money(Fraction(0), "USD") == "$0"
    assert money(Fraction(1), "USD") == "<$0.01"
    assert money(Fraction(35_529_999_999), "EUR") == "€35.52"
    assert money(Fraction(12_340_990_000_000), "USD") == "$12,340"
    assert fixed(Fraction(1_234_567_890_000)) == "1,234.56"
    assert fixed(Fraction(1_234_567 * NANO)) == "1,234,567"
    assert (percent(Fraction(1), Fraction(300)), percent(Fraction(0), Fraction(0))) == ("<1 %", "–")


def test_texts_are_bounded() -> None:
    assert len(plain("x" * 10**6)) == 500


# --- the command -----------------------------------------------------------------------------

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
current-context: here
"""


def refused(tmp_path: Path, text: str, *more: str) -> str:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    done = CliRunner().invoke(app, ["audit", "--kubeconfig", str(file), *more])
    assert done.exit_code == 1
    assert done.stdout == ""
    message = str(done.exception)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        (KUBECONFIG, (), ("context here (http://127.0.0.1:9) can't be reached", "cluster-info")),
        (KUBECONFIG, ("--context", "other"), ("no way to reach a cluster", "--context")),
        ("foo: [", (), ("no way to reach a cluster", "--kubeconfig")),
        (KUBECONFIG, ("--price-book", "/nowhere/prices.yaml"), ("/nowhere/prices.yaml",)),
        (KUBECONFIG, ("--currency", "dollars"), ("'dollars' is no currency", "USD")),
    ],
    ids=[
        "nobody answers",
        "no such context",
        "no kubeconfig at all",
        "no such price book",
        "no currency",
    ],
)
def test_what_stands_in_the_way_is_one_line_with_the_next_step(
    tmp_path: Path, text: str, more: tuple[str, ...], said: tuple[str, ...]
) -> None:
    message = refused(tmp_path, text, *more)
    assert all(part in message for part in said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap\nmetadata: {name: x}\n", "no PriceBook in it"),
        ("kind: PriceBook\nspec: {rates: [{name: a, perHour: '-1'}]}", "perHour"),
    ],
    ids=["no price book", "a price that is none"],
)  # fmt: skip
def test_a_price_book_must_be_one(tmp_path: Path, text: str, said: str) -> None:
    book = tmp_path / "prices.yaml"
    book.write_text(text)
    assert said in refused(tmp_path, KUBECONFIG, "--price-book", str(book))


def test_help_does_not_load_what_an_audit_needs() -> None:
    program = (
        "import sys; import bursar.cli.app; "
        "sys.exit(any(name.startswith(('bursar.cli.audit', 'kubernetes', 'aiohttp', 'pydantic'))"
        " for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
