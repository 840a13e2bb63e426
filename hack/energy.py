#!/usr/bin/env python
"""Generates the bundled table of data-center overhead and carbon intensity by region.

Reads ``pue.csv``, ``carbon_intensity.csv`` and the regions of ``gpu_instances.csv`` from
``--source`` and writes ``operator/bursar/kpi/data/grid.json``: one region a line, sorted. The same
tables give the same bytes; nothing is fetched and no clock is read.

What is mended or left out, and why:

* Azure's regions become the names that nodes carry (``East US 2`` is ``eastus2``);
* two Azure factors are a million times too high (grams taken for tonnes) and are divided by that;
* of a Google Cloud region with two factors Google's newer one is kept;
* a factor of zero is left out: no grid emits nothing, the table rounds;
* a cloud's region without a factor of its own keeps the cloud's PUE and an unknown intensity.
"""

from __future__ import annotations

import argparse
import csv
import json
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("operator/bursar/kpi/data/grid.json")
AS_OF = "2026-10-04"
"""Day of the collection, as its README has it; the factors' own years are in the sources."""
ABSURD = Decimal(10)
"""kgCO2e for a kWh that no grid reaches: the dirtiest are near 1."""
TONNES_FOR_GRAMS = Decimal(1_000_000)
NEWER = "cloud.google.com"
CLOUDS = ("aws", "azure", "gcp")


def read(path: Path) -> list[dict[str, str]]:
    """Reads one CSV table with a header line."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def decimal(value: Decimal) -> str:
    """The shortest decimal string of a value."""
    return format(value.normalize(), "f")


def region_of(provider: str, key: str) -> str:
    """The name of a region as nodes are labelled with it, in lower case."""
    return (key.replace(" ", "") if provider == "azure" else key).lower()


def intensity(text: str) -> str | None:
    """A factor in kgCO2e for a kWh; None for the zero that stands for a missing one."""
    value = Decimal(text)
    if value > ABSURD:
        value /= TONNES_FOR_GRAMS
    return decimal(value) if value > 0 else None


def sites(source: Path) -> dict[str, tuple[str | None, str | None]]:
    """PUE and intensity by region."""
    stated = {(row["provider"], row["region"]): row["pue"] for row in read(source / "pue.csv")}

    def pue(provider: str, region: str) -> str | None:
        found = stated.get((provider, region)) or stated.get((provider, "*"))
        return decimal(Decimal(found)) if found else None

    known: dict[str, tuple[str | None, str | None]] = {}
    for row in read(source / "gpu_instances.csv"):
        if row["cloud"] in CLOUDS and row["region"] not in ("", "*"):
            region = region_of(row["cloud"], row["region"])
            known[region] = (pue(row["cloud"], region), None)
    factors = read(source / "carbon_intensity.csv")
    for row in sorted(factors, key=lambda each: NEWER in each["source"]):
        region = region_of(row["provider"], row["key"])
        known[region] = (pue(row["provider"], region), intensity(row["kgco2e_per_kwh"]))
    return known


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the CSV tables")
    parser.add_argument("--target", type=Path, default=ROOT / TARGET)
    chosen = parser.parse_args()
    assumed = next(r for r in read(chosen.source / "pue.csv") if r["provider"] == "on-prem")
    rows = [[region, *found] for region, found in sorted(sites(chosen.source).items())]
    header = {
        "asOf": AS_OF,
        "generator": "hack/energy.py",
        "schemaVersion": 1,
        "sources": [
            "PUE: constants of Cloud Carbon Footprint (2020 to 2022); on-prem: an assumption",
            "intensity of AWS and Azure regions: ccf-coefficients (2021)",
            "intensity of Google Cloud regions: Google's region-carbon table",
            "intensity of countries: Our World in Data and Ember (2022 and 2023)",
        ],
        "units": {"intensity": "kgCO2e/kWh", "pue": "1"},
    }
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    chosen.target.write_text(
        f'{{\n"header": {json.dumps(header, sort_keys=True)},\n'
        f'"assumedPue": {json.dumps(decimal(Decimal(assumed["pue"])))},\n'
        f'"sites": [\n{lines}\n]\n}}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
