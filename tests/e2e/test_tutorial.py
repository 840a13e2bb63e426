"""The tutorial, typed from its page: each command does what the page shows."""

import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from bursar.sandbox.programs import cache_dir
from support.examples import ROOT
from support.pages import commands, missing
from support.walk import home, walk

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PAGE = ROOT / "docs" / "tutorials" / "first-budget.md"
SECONDS = 540.0


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who has just prepared; the sandbox is ended whatever happens."""
    programs = Path(sysconfig.get_path("scripts"))
    if not (programs / "bursar").exists():
        pytest.skip("bursar is not installed as a command here")
    env = home(tmp_path, cache_dir(), programs)
    try:
        yield env
    finally:
        subprocess.run(
            [programs / "bursar", "sandbox", "down"], env=env, check=True, capture_output=True
        )


def test_the_tutorial_does_what_it_shows(reader: dict[str, str]) -> None:
    wanted = commands(PAGE)
    done = walk(wanted, reader, SECONDS)
    for each in done:
        failed = each.code != 0
        said = f"{each.command.where}: $ {each.command.text}\n{each.printed}"
        assert failed == each.command.fails, f"ended with {each.code}\n{said}"
        lines = missing(each.command.shown, each.printed)
        assert not lines, "the page shows\n" + "\n".join(lines) + f"\nbut it printed\n{said}"
    assert len(done) == len(wanted), "the shell ended before the page did"
