#!/usr/bin/env python
"""Generates the bundled price and device catalog from the collected price tables.

Reads the CSV tables of ``--source`` and writes ``operator/bursar/price/data/catalog.json``: one
record a line, sorted, so that a new version of the tables is a readable diff. The same tables
give the same bytes; nothing is fetched and no clock is read.

What is left out or mended, and why:

* Azure's ``dated list`` spot prices (2024/25, up to nine times below what is charged now);
* the on-demand price of ``a4-highgpu-8g``, which is a Flex-start price (the type is kept);
* DigitalOcean's ``gpu-h100x8-640gb`` (superseded), and rows that hold no price at all;
* ``Standard_ND40s_v2`` out of the V100's default, which it drags down by a third;
* of the prices of a term, only those of capacity blocks, which a node's label tells; which savings
  plan or reservation pays for a node no label says;
* counts such as 0.166667 become the integer pair they round (1, 6);
* blank counts stay blank: the price is known, the count is read from the node.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

Row = dict[str, str]
Record = list[object]

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("operator/bursar/price/data/catalog.json")
GENERATOR = "hack/catalog.py"
SCHEMA_VERSION = 1

STALE_TYPES = frozenset({"gpu-h100x8-640gb"})
"""Types whose only price has been superseded and not been replaced."""

FLEX_START_KINDS = frozenset({"dws_flex_start"})
"""Kinds of price that an ordinary on-demand node does not pay."""

OUTLIERS_OF_DEFAULTS = frozenset({"Standard_ND40s_v2"})
"""Types whose price is right for them, and misleading for their accelerator."""

SMALLEST_FRACTION = 12
"""No cloud sells less than a twelfth of a device; the tables' smallest is an eighth."""


def read(path: Path) -> list[Row]:
    """Reads one CSV table with a header line."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def exact_count(text: str) -> tuple[int, int] | tuple[None, None]:
    """The integer pair that a rounded decimal count stands for; blank is unknown."""
    if not text:
        return None, None
    value = Fraction(text)
    nearest = value.limit_denominator(SMALLEST_FRACTION)
    if abs(nearest - value) > Fraction(1, 10**6):
        raise SystemExit(f"{text} is not a fraction of a device that any cloud sells")
    return nearest.numerator, nearest.denominator


def price(text: str) -> str | None:
    """A price as the shortest decimal string of the same value, or None for a blank."""
    if not text:
        return None
    value = Decimal(text)
    if value <= 0:
        raise SystemExit(f"a price of {text} is not a price")
    return format(value.normalize(), "f")


def date(text: str) -> str:
    """The date, month or year that a table's ``as_of`` states."""
    match = re.match(r"\d{4}(-\d\d(-\d\d)?)?", text)
    if match is None:
        raise SystemExit(f"{text!r} is not a date")
    return match[0]


def priced(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows to keep, with the prices taken out of them that must not be used."""
    for row in rows:
        if row["instance_type"] in STALE_TYPES or not row["price_hourly_usd"]:
            continue
        kept = dict(row)
        if kept["price_kind"] in FLEX_START_KINDS:
            kept["price_hourly_usd"] = kept["spot_hourly_usd"] = ""
        if kept["spot_kind"].startswith("dated list"):
            kept["spot_hourly_usd"] = kept["spot_kind"] = ""
        yield kept


def price_records(rows: Iterable[Row]) -> list[Record]:
    """Prices: type, region or zone, on demand, spot, how sure of each, date."""
    out: list[Record] = []
    for row in rows:
        listed = "assumed" if "ASSUMED" in row["notes"] else "list"
        kind = listed if row["price_hourly_usd"] else "none"
        spot_kind = row["spot_kind"].partition(":")[0] if row["spot_hourly_usd"] else "none"
        out.append(
            [
                row["instance_type"],
                row["region"],
                price(row["price_hourly_usd"]),
                price(row["spot_hourly_usd"]),
                kind,
                spot_kind,
                date(row["as_of"]),
            ]
        )
    return sorted(out, key=lambda r: (str(r[0]), str(r[1])))


def instance_records(rows: Sequence[Row], defaults: Iterable[Row]) -> list[Record]:
    """Instance types: cloud, type, accelerator, count as a pair, region of the default price."""
    kept = {row["instance_type"] for row in rows}
    out: list[Record] = []
    for row in defaults:
        if row["instance_type"] in kept:
            numerator, denominator = exact_count(row["accelerator_count"])
            out.append(
                [
                    row["cloud"],
                    row["instance_type"],
                    row["accelerator"].lower(),
                    numerator,
                    denominator,
                    row["region"],
                ]
            )
    return sorted(out, key=lambda r: (str(r[0]), str(r[1])))


def host_records(rows: Iterable[Row]) -> list[Record]:
    """GCP N1 hosts, whose price holds no accelerator: type, region, on demand, spot, date."""
    return sorted(
        [
            r["instance_type"],
            r["region"],
            price(r["price_hourly_usd"]),
            price(r["spot_hourly_usd"]),
            date(r["as_of"]),
        ]
        for r in rows
    )


def addon_records(rows: Iterable[Row]) -> list[Record]:
    """GCP accelerators sold beside an N1 host: label, region, on demand, spot, date."""
    return sorted(
        [
            r["gke_accelerator_label"],
            r["region"],
            price(r["price_per_gpu_hourly_usd"]),
            price(r["spot_per_gpu_hourly_usd"]),
            date(r["as_of"]),
        ]
        for r in rows
    )


def capacity_blocks(rows: Iterable[Row]) -> list[Row]:
    """The rows of a table of terms that are of capacity blocks."""
    return [
        row for row in rows if row["option"] == "capacity_block" and row["unit"] == "instance-hour"
    ]


def block_records(rows: Iterable[Row]) -> list[Record]:
    """Capacity blocks, paid for a stretch of days: type, region, price an hour, date."""
    return sorted(
        [r["instance_type"], r["region"], price(r["price_usd"]), date(r["as_of"])] for r in rows
    )


def default_price(row: Row, outliers: dict[str, tuple[str, str]]) -> str:
    """The price of a device-hour of a model whose instance type is unknown.

    An outlier's figure is taken out of the list of the clouds' cheapest, with its cloud; what
    remains gives the median.
    """
    cloud, figure = outliers.get(row["accelerator"], ("", ""))
    listed = row["per_cloud_cheapest_type_default_region"]
    figures = dict(entry.split() for entry in listed.split("; ")) if listed else {}
    if figures.get(cloud) == figure:
        del figures[cloud]
        return str(price(str(statistics.median(Decimal(f) for f in figures.values()))))
    return str(price(row["suggested_default_usd_per_device_hour"]))


def default_records(rows: Iterable[Row], instances: Iterable[Row]) -> list[Record]:
    """Defaults for a device-hour: accelerator, price, whose prices it comes from."""
    outliers = {
        r["accelerator"]: (
            r["cloud"],
            f"{Decimal(r['price_hourly_usd']) / Decimal(r['accelerator_count']):.3f}",
        )
        for r in instances
        if r["instance_type"] in OUTLIERS_OF_DEFAULTS
    }
    return sorted(
        [
            row["accelerator"].lower(),
            default_price(row, outliers),
            "hyperscalers" if row["hyperscaler_usd_per_device_hour"] else "neoclouds",
        ]
        for row in rows
    )


def found(pattern: str, text: str) -> list[str]:
    """All first groups of a pattern, in the order of the text."""
    return re.findall(pattern, text)


def accelerator_record(row: Row) -> dict[str, object]:
    """One accelerator model: the names that nodes give it, its memory and its board power."""
    other = row["other_labels"]
    base = re.fullmatch(r"(\d+)c/(\d+)m", row["mig_slice_base"])
    cores = re.search(r"(\d+) NeuronCores per device", row["notes"])
    tpu = other.partition(";")[0] if "gke-tpu-accelerator=" in other else ""
    record: dict[str, object] = {
        "name": row["canonical"].lower(),
        "vendor": row["vendor"].lower(),
        "memoryGiB": price(row["memory_gib"]),
        "watts": price(row["tdp_watts"]),
        "product": [label for label in row["gfd_product_labels"].split("|") if label],
        "gke": [label for label in row["gke_accelerator_label"].split("|") if label],
        "karpenter": [name for name in row["karpenter_aws_gpu_name"].split("|") if name]
        + found(r"instance-accelerator-name=([\w-]+)", other),
        "amd": found(r"amd\.com/gpu\.product-name=(\S+)", other),
        "amdDeviceId": found(r"amd\.com/gpu\.device-id=([0-9a-f]+)", other),
        "intel": found(r"gpu\.intel\.com/product=(\S+)", other),
        "tpu": found(r"[=\s](tpu[\w-]+)", tpu),
        "coresPerDevice": int(cores[1]) if cores else None,
        "migBase": [int(base[1]), int(base[2])] if base else None,
    }
    return {key: value for key, value in record.items() if value not in (None, [])}


def mig_records(rows: Iterable[Row]) -> list[Record]:
    """MIG profiles: accelerator, resource suffix, compute and memory slices, most on a device."""
    return sorted(
        [
            row["accelerator"].lower(),
            row["k8s_resource"].removeprefix("nvidia.com/mig-"),
            int(row["compute_slices"]),
            int(row["compute_base"]),
            int(row["memory_slices"]),
            int(row["memory_base"]),
            int(row["max_instances"]),
        ]
        for row in rows
    )


def sources(*tables: Iterable[Row]) -> list[Record]:
    """Where the kept prices come from: source, date, rows."""
    counts: dict[tuple[str, str], int] = {}
    for table in tables:
        for row in table:
            key = re.sub(r"^\((.*)\)$", r"\1", row["source"]), date(row["as_of"])
            counts[key] = counts.get(key, 0) + 1
    return [[source, day, count] for (source, day), count in sorted(counts.items())]


def catalog(source: Path) -> dict[str, object]:
    """Builds the whole catalog from the tables of a folder."""
    raw = read(source / "gpu_instances.csv")
    rows = list(priced(raw))
    hosts, addons = read(source / "gcp_n1_hosts.csv"), read(source / "gcp_gpu_addons.csv")
    instances = read(source / "gpu_instances_default.csv")
    fallback = read(source / "fallback_gpu_hourly.csv")
    blocks = capacity_blocks(read(source / "term_prices.csv"))
    accelerators = [accelerator_record(row) for row in read(source / "accelerators.csv")]
    return {
        "header": {
            "schemaVersion": SCHEMA_VERSION,
            "generator": GENERATOR,
            "asOf": max(date(row["as_of"]) for row in rows),
            "currency": "USD",
            "unit": "hour",
        },
        "sources": sources(rows, hosts, addons, blocks),
        "accelerators": sorted(accelerators, key=lambda record: str(record["name"])),
        "migProfiles": mig_records(read(source / "mig_profiles.csv")),
        "instances": instance_records(rows, instances),
        "prices": price_records(rows),
        "capacityBlocks": block_records(blocks),
        "gcpHosts": host_records(hosts),
        "gcpAccelerators": addon_records(addons),
        "deviceHourDefaults": default_records(fallback, instances),
    }


def render(sections: dict[str, object]) -> str:
    """JSON with one record a line, which diffs by record and parses in a few milliseconds."""
    parts = []
    for name, value in sections.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in value)
            parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the catalog."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared/data/prices")
    parser.add_argument("--target", type=Path, default=ROOT / TARGET)
    options = parser.parse_args(arguments)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_text(render(catalog(options.source)), encoding="utf-8")
    print(f"wrote {options.target}")


if __name__ == "__main__":
    main()
