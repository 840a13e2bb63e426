"""The program as shells and kubectl start it: its name, its completion, what it loads."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bursar
from bursar import __main__ as program
from bursar.cli import app
from bursar.errors import BursarError
from bursar.settings import Settings

SOURCE = str(Path(bursar.__file__).parents[1])
HEAVY = ("kubernetes", "kopf", "sqlalchemy", "aiohttp", "rich.live", "pydantic", "asyncio", "yaml")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the source."""
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": SOURCE, **environment},
    )


def test_help_loads_nothing_that_takes_long() -> None:
    code = f"import sys, bursar.cli.app; print([m for m in {HEAVY} if m in sys.modules])"
    assert run("-c", code).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "usage"),
    [("bursar", "Usage: bursar report"), ("kubectl-bursar", "Usage: kubectl bursar report")],
)
def test_usage_names_the_program_as_it_was_started(tmp_path: Path, name: str, usage: str) -> None:
    script = tmp_path / name
    script.write_text("from bursar.__main__ import main\nmain()\n", "utf-8")
    done = run(str(script), "report", "--help", COLUMNS="80")
    assert usage in done.stdout
    assert done.returncode == 0


def test_each_setting_is_an_option() -> None:
    assert set(inspect.signature(app.run).parameters) == set(Settings.model_fields)


def test_a_known_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise BursarError("one\nand two")

    monkeypatch.setattr("bursar.cli.app.app", fail)
    with pytest.raises(SystemExit) as found:
        program.main()
    assert found.value.code == 1
    assert capsys.readouterr().err == "bursar: one and two\n"


def test_the_shell_is_offered_commands() -> None:
    done = run(
        *("-m", "bursar"),
        COMP_WORDS="bursar sta",
        COMP_CWORD="1",
        _BURSAR_COMPLETE="complete_bash",
    )
    assert done.stdout.split() == ["status"], done.stderr


def test_kubectls_completion_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-bursar", "que"])
    program.complete()
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("queue\tShow what waits")
    assert last == ":4"


def test_ctrl_c_ends_without_a_traceback(tmp_path: Path) -> None:
    script = tmp_path / "bursar"
    script.write_text(
        "import bursar.cli.classify as c\n"
        "def stop(*_): raise KeyboardInterrupt\n"
        "c.classify = stop\n"
        "from bursar.__main__ import main\n"
        "main()\n",
        "utf-8",
    )
    done = run(str(script), "classify", "-f", "-")
    assert (done.returncode, done.stderr) == (130, "")
