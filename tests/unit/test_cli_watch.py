"""Answers that are shown again and again, and in every form."""

import csv
import io
import json
from collections.abc import Callable, Iterator

import pytest
import yaml

from bursar.cli import watch
from bursar.cli.complete import NO_FILES, answer
from bursar.cli.output import Block, Format, Page, cut, print_page
from bursar.cli.views import models, nodes, queue, runs
from bursar.errors import BursarError


def page(value: int) -> Page:
    rows = [{"name": "a", "value": value}]
    return Page(document={"value": value}, blocks=[Block(rows=rows, columns={"value": "VALUE"})])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it pauses; no time goes by."""
    pauses: list[float] = []
    monkeypatch.setattr(watch.time, "sleep", pauses.append)
    return pauses


def reader(*steps: int | Exception) -> Callable[[], Page]:
    """What each look finds; after the last one somebody presses Ctrl-C."""
    left: Iterator[int | Exception] = iter(steps)

    def read() -> Page:
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        if isinstance(step, Exception):
            raise step
        return page(step)

    return read


def test_without_watch_it_looks_once(
    capsys: pytest.CaptureFixture[str], looks: list[float]
) -> None:
    watch.show(reader(1, 2), Format.JSON, every=None)
    assert capsys.readouterr().out == '{"value": 1}\n'
    assert looks == []


def test_in_a_pipe_what_changed_follows_a_line_each(
    capsys: pytest.CaptureFixture[str], looks: list[float]
) -> None:
    watch.show(reader(1, 1, 2), Format.JSON, every=3.0)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [{"value": 1}, {"value": 2}]
    assert looks == [3.0, 3.0, 3.0]


def test_yaml_follows_as_documents_and_csv_without_its_headings(
    capsys: pytest.CaptureFixture[str], looks: list[float]
) -> None:
    watch.show(reader(1, 2), Format.YAML, every=1.0)
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == [{"value": 1}, {"value": 2}]
    watch.show(reader(1, 2), Format.CSV, every=1.0)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["value"], ["1"], ["2"]]


def test_a_later_failure_is_told_of_once_and_outlived(
    capsys: pytest.CaptureFixture[str], looks: list[float]
) -> None:
    away = BursarError("the operator does not run")
    watch.show(reader(1, away, away, 2), Format.JSON, every=1.0)
    found = capsys.readouterr()
    assert found.out == '{"value": 1}\n{"value": 2}\n'
    assert found.err == "bursar: the operator does not run; trying again\n"


def test_the_first_failure_is_the_commands(looks: list[float]) -> None:
    with pytest.raises(BursarError):
        watch.show(reader(BursarError("no")), Format.TABLE, every=1.0)


def test_on_a_terminal_it_is_refreshed_in_place(
    capsys: pytest.CaptureFixture[str], looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch.show(reader(1, BursarError("away"), 2), Format.TABLE, every=2.0)
    text = capsys.readouterr().out
    assert text.count("looked at every 2 s; Ctrl-C ends") >= 3
    assert "away; trying again" in text
    assert "\x1b[1A" in text, "the cursor goes up again"


def test_a_table_shows_notes_apart_from_what_a_program_reads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    noted = Page(document={}, blocks=page(1).blocks, notes=["3 more"])
    print_page(noted, Format.TABLE)
    found = capsys.readouterr()
    assert "VALUE" in found.out
    assert "3 more" in found.err
    assert "3 more" not in found.out


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1.123456789", "1.1234"), ("7", "7"), ("-0.5", "-0.5"), ("a.bcdefgh", "a.bcdefgh")],
)
def test_figures_are_cut_and_words_are_not(text: str, shown: str) -> None:
    assert cut(text) == shown
    assert cut(3) == 3


WINDOW = {"currency": "USD", "from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}


def test_a_run_that_goes_on_says_so_to_people_only() -> None:
    run = {"kind": "Job", "name": "t", "namespace": "v", "end": None, "cost": "1.123456789"}
    found = runs({**WINDOW, "count": 5, "offset": 0, "runs": [run]})
    (row,), (line,) = found.blocks[0].rows, found.lines.rows  # type: ignore[union-attr]
    assert (row["run"], row["end"], row["cost"]) == ("Job/t", "running", "1.1234")
    assert (line["end"], line["cost"]) == (None, "1.123456789")
    assert found.notes == ["4 more: ask with --limit"]


def test_devices_are_counted_as_people_do() -> None:
    node = {
        "name": "n",
        "devices": "8.000000000",
        "allocatedDevices": "3.500000000",
        "idleDevices": None,
        "costPerHour": None,
        "origin": None,
        "unknown": ["no price", "and no model"],
    }
    (row,) = nodes({"currency": "USD", "nodes": [node]}).blocks[0].rows
    assert (row["devices"], row["allocatedDevices"], row["idleDevices"]) == ("8", "3.5", "?")
    assert row["origin"] == "no price; and no model"


def test_models_have_a_row_a_class() -> None:
    figures = {"cost": "2.000000000", "gpuHours": "1.000000000", "pods": 1}
    model = {"model": None, **figures, "classes": {"training": figures, "inference": figures}}
    found = models({**WINDOW, "count": 1, "models": [model]})
    assert [(row["model"], row["class"]) for row in found.blocks[0].rows] == [
        ("(not named)", "training"),
        ("(not named)", "inference"),
    ]


def test_an_empty_queue_says_so() -> None:
    assert queue({"mode": "Enforce", "count": 0, "queue": []}).notes == ["nothing waits"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["sta"], {"status"}),
        (["sandbox", "o"], {"operator"}),
        (["report", "--mon"], {"--month"}),
        (["report", "-o", ""], {"table", "json", "yaml", "csv"}),
        (["report", "nonsense", "x"], set()),
    ],
    ids=["a command", "a command of a group", "an option", "values", "nothing"],
)
def test_kubectl_is_offered_what_the_shell_is(words: list[str], offered: set[str]) -> None:
    *lines, last = answer(words).splitlines()
    assert {line.split("\t")[0] for line in lines} == offered
    assert last == NO_FILES
    assert answer([]).endswith(f"{NO_FILES}\n")
