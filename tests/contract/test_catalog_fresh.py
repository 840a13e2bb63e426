"""The bundled catalog is what its generator makes of the collected tables, byte for byte."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.catalog import CATALOG, ROOT, SOURCE


def test_catalog_is_what_the_generator_makes(tmp_path: Path) -> None:
    if not SOURCE.is_dir():
        pytest.skip(f"the price tables are not beside this checkout ({SOURCE.name} is missing)")
    target = tmp_path / "catalog.json"
    subprocess.run(
        [
            sys.executable,
            str(ROOT / "hack/catalog.py"),
            "--source",
            str(SOURCE),
            "--target",
            target,
        ],
        check=True,
        capture_output=True,
    )
    assert target.read_bytes() == CATALOG.read_bytes(), "run `python hack/catalog.py`"
