"""The bundled catalog itself: what the tables' known faults must not bring into a price."""

import csv
import re
from decimal import Decimal
from fractions import Fraction

import pytest

from bursar.price.catalog import Quote, lookup
from support import catalog
from support.fleet import facts, place

PRICES = {(row[0], row[1]): row[2:] for row in catalog.data()["prices"]}
INSTANCES = {row[1]: row for row in catalog.data()["instances"]}
DEFAULTS = {row[0]: row for row in catalog.data()["deviceHourDefaults"]}


def test_header_says_when_and_how_it_was_made() -> None:
    header = catalog.data()["header"]
    assert header["generator"] == "hack/catalog.py"
    assert header["currency"] == "USD"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", header["asOf"])
    assert sum(row[2] for row in catalog.data()["sources"]) > 3_000


def test_every_record_stands_on_a_line_of_its_own() -> None:
    assert len(catalog.text().splitlines()) > len(PRICES) + len(INSTANCES)
    assert max(map(len, catalog.text().splitlines())) < 400


@pytest.mark.parametrize("section", ["prices", "instances", "gcpHosts", "gcpAccelerators"])
def test_records_are_sorted_and_none_stands_twice(section: str) -> None:
    keys = [(row[0], row[1]) for row in catalog.data()[section]]
    assert keys == sorted(set(keys))


def test_prices_are_positive_decimal_strings() -> None:
    for row in PRICES.values():
        for text in row[:2]:
            assert text is None or (isinstance(text, str) and Decimal(text) > 0)


def test_dated_spot_prices_of_azure_are_gone_and_their_on_demand_prices_stay() -> None:
    azure = {row[1] for row in catalog.data()["instances"] if row[0] == "azure"}
    assert all(row[1] is None for (name, _), row in PRICES.items() if name in azure)
    assert PRICES["Standard_ND96amsr_A100_v4", "eastus"][:2] == ["32.77", None]


def test_flex_start_price_is_no_on_demand_price() -> None:
    assert PRICES["a4-highgpu-8g", "us-central1"][:3] == [None, None, "none"]
    assert INSTANCES["a4-highgpu-8g"][2:5] == ["b200-sxm-180gb", 8, 1]


def test_superseded_price_is_gone() -> None:
    assert "gpu-h100x8-640gb" not in INSTANCES
    assert not [key for key in PRICES if key[0] == "gpu-h100x8-640gb"]


@pytest.mark.parametrize(
    "instance_type",
    [
        "p5e.48xlarge",
        "p6e-gb200.36xlarge",
        "trn2.48xlarge",
        "Standard_ND128isr_GB300_v6",
        "b300-8x",
        "gb300-4x",
        "a4x-highgpu-4g",
        "a4x-maxgpu-4g-metal",
        "tpu7x-standard-4t",
    ],
)
def test_rows_without_any_price_are_gone(instance_type: str) -> None:
    assert instance_type not in INSTANCES
    assert not [key for key in PRICES if key[0] == instance_type]


def test_default_of_the_v100_is_not_dragged_down_by_one_cheap_type() -> None:
    assert DEFAULTS["v100-sxm2-32gb"][1] == "3.901"
    assert PRICES["Standard_ND40s_v2", "eastus"][0] == "12.24"


def test_other_defaults_are_as_the_tables_suggest() -> None:
    assert DEFAULTS["h100-sxm5-80gb"] == ["h100-sxm5-80gb", "10.53", "hyperscalers"]
    assert DEFAULTS["a40-48gb"] == ["a40-48gb", "0.44", "neoclouds"]


@pytest.mark.parametrize(
    ("instance_type", "count"),
    [
        ("Standard_NV6ads_A10_v5", Fraction(1, 6)),
        ("Standard_NV12ads_A10_v5", Fraction(1, 3)),
        ("Standard_NV4ads_V710_v5", Fraction(1, 6)),
        ("g6f.large", Fraction(1, 8)),
        ("g4-standard-12", Fraction(1, 4)),
        ("Standard_NV18ads_A10_v5", Fraction(1, 2)),
        ("p5.48xlarge", Fraction(8)),
    ],
)
def test_counts_are_exact_fractions(instance_type: str, count: Fraction) -> None:
    assert Fraction(*INSTANCES[instance_type][3:5]) == count


def test_blank_counts_keep_their_price() -> None:
    blank = [name for name, row in INSTANCES.items() if row[3] is None]
    assert len(blank) == 27
    assert all(any(key[0] == name and row[0] for key, row in PRICES.items()) for name in blank)


def test_local_zones_are_rows_of_their_own() -> None:
    lima = Decimal(PRICES["g4dn.2xlarge", "us-east-1-lim-1"][0])
    assert lima / Decimal(PRICES["g4dn.2xlarge", "us-east-1"][0]) > Decimal("2.2")


def test_converted_and_copied_prices_are_marked_as_assumed() -> None:
    alibaba = {row[1] for row in catalog.data()["instances"] if row[0] == "alibaba"}
    assert {row[2] for (name, _), row in PRICES.items() if name in alibaba} == {"assumed"}


def test_each_instance_has_a_known_accelerator_and_a_priced_default_region() -> None:
    names = {row["name"] for row in catalog.data()["accelerators"]}
    assert {row[2] for row in INSTANCES.values()} <= names
    assert all((name, row[5]) in PRICES for name, row in INSTANCES.items())
    assert {name.lower() for name in names} == names


def test_gcp_hosts_and_accelerators_are_priced_apart() -> None:
    hosts = {(row[0], row[1]): row[2] for row in catalog.data()["gcpHosts"]}
    addons = {(row[0], row[1]): row[2] for row in catalog.data()["gcpAccelerators"]}
    assert hosts["n1-standard-4", "us-central1"]
    assert addons["nvidia-tesla-t4", "us-central1"] == "0.35"


def test_capacity_blocks_have_prices_of_their_own_and_no_other_term_is_taken() -> None:
    blocks = {(row[0], row[1]): row[2] for row in catalog.data()["capacityBlocks"]}
    assert blocks["p5.48xlarge", "us-east-1"] == "41.528"
    assert len(blocks) == 5
    assert all(Decimal(price) < Decimal(PRICES[key][0]) for key, price in blocks.items())


@pytest.mark.parametrize(
    ("cloud", "accelerator", "low"),
    [
        pytest.param("ovh", "", "t1-le-45", id="OVH's cheap line"),
        pytest.param("lambda", "v100-sxm2-16gb", "gpu_8x_v100", id="Lambda's V100"),
        pytest.param("nebius", "h100-sxm5-80gb", "gpu-h100-sxm_1gpu-16vcpu-200gb", id="Nebius"),
        pytest.param("aws", "t4-16gb", "g4dn.16xlarge", id="a large host for one T4"),
    ],
)
def test_odd_prices_that_are_right_stay(cloud: str, accelerator: str, low: str) -> None:
    assert INSTANCES[low][0] == cloud
    assert accelerator in INSTANCES[low][2]
    assert any(name == low and row[0] for (name, _), row in PRICES.items())


# --- against the tables themselves -----------------------------------------------------------


def rows(name: str) -> list[dict[str, str]]:
    if not catalog.SOURCE.is_dir():
        pytest.skip(f"the price tables are not beside this checkout ({catalog.SOURCE.name})")
    with (catalog.SOURCE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_that_the_tables_have_is_there_but_for_what_is_named() -> None:
    table = rows("gpu_instances.csv")
    unpriced = [row for row in table if not row["price_hourly_usd"]]
    stale = [row for row in table if row["instance_type"] == "gpu-h100x8-640gb"]
    assert (len(unpriced), len(stale)) == (9, 1)
    dropped = {(row["instance_type"], row["region"]) for row in (*unpriced, *stale)}
    assert PRICES.keys() == {(row["instance_type"], row["region"]) for row in table} - dropped


def test_prices_of_2024_for_spot_are_the_only_ones_that_are_taken_out() -> None:
    table = rows("gpu_instances.csv")
    dated = [row for row in table if row["spot_kind"].startswith("dated list")]
    assert len(dated) == 24
    for row in table:
        key = row["instance_type"], row["region"]
        if row["spot_hourly_usd"] and row not in dated and row["price_kind"] != "dws_flex_start":
            assert Decimal(PRICES[key][1]) == Decimal(row["spot_hourly_usd"])
    without = [row for row in table if not row["spot_hourly_usd"]]
    assert len(without) == 2008


def test_no_spot_node_without_a_spot_price_takes_one_for_granted() -> None:
    spot = {"karpenter.sh/capacity-type": "spot"}
    asked = 0
    for (name, area), row in PRICES.items():
        if row[0] is None or row[1] is not None or name.startswith("n1-"):
            continue
        node = facts(place(name, "" if area == "*" else area) | spot)
        quote = lookup(catalog.catalog(), node)
        assert isinstance(quote, Quote)
        assert quote.assumed, node.instance_type
        asked += 1
    assert asked > 2_000


def test_mig_profiles_have_integer_slices_on_the_models_own_base() -> None:
    profiles = {(row[0], row[1]): row[2:] for row in catalog.data()["migProfiles"]}
    assert profiles["h100-sxm5-80gb", "3g.40gb"] == [3, 7, 4, 8, 2]
    assert profiles["a30-24gb", "2g.12gb"] == [2, 4, 2, 4, 2]
    assert profiles["rtx-pro-6000-bse-96gb", "1g.24gb"] == [1, 4, 1, 4, 4]
    assert len(profiles) == 147
