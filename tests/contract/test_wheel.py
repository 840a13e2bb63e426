"""The wheel builds without a network, and holds what the program reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.examples import ROOT

PACKAGE = ROOT / "operator" / "bursar"
DATA = (
    "bursar/price/data/catalog.json",
    "bursar/sandbox/kwok.yaml",
    "bursar/sandbox/controlplane/go.mod",
    "bursar/sandbox/controlplane/go.sum",
    "bursar/sandbox/go/requirements.txt",
    "bursar/runtime/ledger/migrations/env.py",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("bursar-*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.parametrize("name", DATA)
def test_the_wheel_holds(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()
    assert wheel.getinfo(name).file_size > 0


def test_the_wheel_holds_every_module_and_every_migration(wheel: zipfile.ZipFile) -> None:
    modules = {f"bursar/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")}
    missing = {name for name in modules if "__pycache__" not in name} - set(wheel.namelist())
    assert not missing
    assert any("/migrations/versions/" in name for name in modules)


def test_the_wheel_holds_the_chart_that_the_sandbox_installs(wheel: zipfile.ZipFile) -> None:
    chart = ROOT / "charts" / "bursar"
    names = wheel.namelist()
    for path in chart.rglob("*.yaml"):
        tail = path.relative_to(chart).as_posix()
        assert any(name.endswith(f"/{tail}") for name in names), tail


def test_the_wheel_holds_nothing_that_is_only_for_developers(wheel: zipfile.ZipFile) -> None:
    odd = [
        name
        for name in wheel.namelist()
        if not name.startswith(("bursar/", "bursar-")) or "test" in Path(name).parts
    ]
    assert not odd


def test_the_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "bursar = bursar.__main__:main" in wheel.read(entry).decode()


def test_the_module_can_be_run_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bursar;"
        "from bursar.runtime.configuring import catalog;"
        "print(bursar.__file__, len(catalog.load().tables.accelerators) > 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, loaded = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path)
    assert loaded == "True"
