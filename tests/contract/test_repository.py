"""What must hold of the repository as a whole, whoever changes it."""

import operator
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.examples import ROOT

PACKAGE = ROOT / "operator" / "bursar"
LONGEST_MODULE = 400
LOCKS = sorted((ROOT / "requirements").glob("*.txt")) + sorted(PACKAGE.rglob("requirements*.txt"))


def tracked() -> list[Path]:
    """Files in git that are text and are there."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


# --- the folder named operator --------------------------------------------------------------------


def test_operator_is_a_folder_and_not_a_package() -> None:
    assert not list((ROOT / "operator").glob("__init__.*"))


def test_the_standard_librarys_operator_is_the_one_that_python_finds() -> None:
    assert operator.itemgetter(0)([7]) == 7
    said = subprocess.run(
        [sys.executable, "-c", "import operator, bursar; print(operator.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not Path(said.stdout.strip()).is_relative_to(ROOT / "operator")


@pytest.mark.parametrize(
    "module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_is_short_enough_to_be_read(module: Path) -> None:
    lines = module.read_text("utf-8").count("\n")
    assert lines <= LONGEST_MODULE, f"{lines} lines: make two of it"


# --- what starts fast -----------------------------------------------------------------------------

HEAVY = ("kubernetes", "kopf", "sqlalchemy", "aiohttp", "alembic")


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"], ["report", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from bursar.__main__ import main
sys.argv = ["bursar", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted({set(HEAVY)!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "LOADED"


# --- dependencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_locked_requirement_is_pinned_and_hashed(lock: Path) -> None:
    text = lock.read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    for line in wanted:
        assert re.match(r"^[A-Za-z0-9._\[\]-]+==[^ ]+", line), line
        assert "--hash=sha256:" in line, line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_names_no_index(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert "://" not in text
    assert "index-url" not in text


# --- what must never be committed -----------------------------------------------------------------

# Written in halves, so that this file does not name what it looks for.
HOSTS = ("py" + "pi.org", "pythonhosted" + ".org", "proxy.golang" + ".org", "sum.golang" + ".org")
PLACES = ("/ro" + "ot/", "/wo" + "rk/", "/tmp/bash" + "_jobs", "/home/" + "runner")
FOREIGN = re.compile(
    "|".join(re.escape(host) for host in HOSTS)
    + "|"
    + "|".join(rf"(?<![\w.$}}~-]){re.escape(place)}" for place in PLACES)
)


def test_no_file_names_a_registry_or_a_place_of_somebodys_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


def test_no_secret_is_committed() -> None:
    private = re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix not in (".gz", ".png", ".db")
        and private.search(path.read_text("utf-8", errors="ignore"))
    ]
    assert not found


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked()
        if page.suffix == ".md"
        for target in link.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)
