"""The bundled table of overheads and grids is what its generator makes of the tables."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.catalog import ROOT, SOURCE

TABLE = ROOT / "operator/bursar/kpi/data/grid.json"


def test_grid_is_what_the_generator_makes(tmp_path: Path) -> None:
    if not SOURCE.is_dir():
        pytest.skip(f"the price tables are not beside this checkout ({SOURCE.name} is missing)")
    target = tmp_path / "grid.json"
    script = str(ROOT / "hack/energy.py")
    subprocess.run(
        [sys.executable, script, "--source", str(SOURCE), "--target", target],
        check=True,
        capture_output=True,
    )
    assert target.read_bytes() == TABLE.read_bytes(), "run `python hack/energy.py --source …`"
