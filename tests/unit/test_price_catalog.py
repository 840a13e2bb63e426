"""What the bundled catalog says of a node, and when its price is only an assumption."""

import time
from dataclasses import replace
from fractions import Fraction

import pytest

from bursar.domain.rate import Unpriced
from bursar.domain.time import parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts
from bursar.price.catalog import Quote, age_days, device_default, lookup, parse_catalog
from support.catalog import catalog, text
from support.fleet import demo, facts, place

ON_DEMAND = {"karpenter.sh/capacity-type": "on-demand"}
SPOT = {"karpenter.sh/capacity-type": "spot"}


def at(
    instance_type: str, region: str = "", zone: str = "", labels: dict[str, str] = ON_DEMAND
) -> NodeFacts:
    return facts(place(instance_type, region, zone) | labels)


BLOCK = {"eks.amazonaws.com/capacityType": "CAPACITY_BLOCK"}
AZURE = {"kubernetes.azure.com/cluster": "mc"}
SPOT_HOST, SPOT_T4 = (
    Fraction(listing.spot or "0")
    for listing in (
        catalog().hosts["n1-standard-4", "us-central1"],
        catalog().addons["nvidia-tesla-t4", "us-central1"],
    )
)


def n1(
    gpu: str, count: str, region: str = "us-central1", labels: dict[str, str] | None = None
) -> NodeFacts:
    return at(
        "n1-standard-4",
        region,
        labels={
            "cloud.google.com/gke-accelerator": gpu,
            "cloud.google.com/gke-accelerator-count": count,
            **(labels or {}),
        },
    )


@pytest.mark.parametrize(
    ("node", "per_hour", "assumed"),
    [
        pytest.param(at("p5.48xlarge", "us-east-1", "us-east-1a"), "55.04", False, id="on-demand"),
        pytest.param(
            at("p5.48xlarge", "us-east-1", labels=SPOT), "26.4192", False, id="spot with a price"
        ),
        pytest.param(
            at("Standard_ND96isr_MI300X_v5", "eastus2", labels=SPOT),
            "48",
            True,
            id="spot without a price takes the on-demand price",
        ),
        pytest.param(
            at("p5.48xlarge", "us-east-1", labels={"karpenter.sh/capacity-type": "reserved"}),
            "55.04",
            True,
            id="what a reservation costs is not in a list",
        ),
        pytest.param(
            at("p5.48xlarge", "us-east-1", labels=BLOCK), "41.528", False, id="a capacity block"
        ),
        pytest.param(
            at("p5.48xlarge", "us-west-2", labels=BLOCK),
            "41.528",
            True,
            id="a capacity block of another region stands in",
        ),
        pytest.param(
            at("g5.xlarge", "us-east-1", labels=BLOCK),
            "1.006",
            True,
            id="a type without a price for its blocks takes the on-demand price",
        ),
        pytest.param(
            at("p5.48xlarge", "us-east-1", labels={}), "55.04", True, id="nobody says how bought"
        ),
        pytest.param(
            at("Standard_NV6ads_A10_v5", "eastus", labels=AZURE),
            "0.454",
            False,
            id="a sixth of a device has its own price",
        ),
        pytest.param(
            at("g4dn.2xlarge", "", "us-east-1-lim-1a"),
            "1.725",
            False,
            id="a local zone without a region",
        ),
        pytest.param(
            n1("nvidia-tesla-t4", "2", labels={"cloud.google.com/gke-spot": "true"}),
            str(SPOT_HOST + 2 * SPOT_T4),
            False,
            id="a spot host and its accelerators",
        ),
        pytest.param(
            at("g4dn.2xlarge", "us-east-1", "us-east-1-lim-1a"),
            "1.725",
            False,
            id="a local zone goes before its region",
        ),
        pytest.param(
            at("g4dn.2xlarge", "us-east-1", "us-east-1-new-1a"),
            "0.752",
            True,
            id="a local zone that is not listed takes its region's price",
        ),
        pytest.param(at("p5.48xlarge", "mars-1"), "55.04", True, id="a region that is not listed"),
        pytest.param(at("p5.48xlarge"), "55.04", True, id="no region at all"),
        pytest.param(
            at("p5.48xlarge", "", "us-east-1b"), "55.04", False, id="a zone alone names its region"
        ),
        pytest.param(
            at("g2-standard-24", "", "us-central1-a"), "2.000833", False, id="Google's zone alone"
        ),
        pytest.param(at("BM.GPU.MI300X.8", "eu-frankfurt-1"), "48", False, id="one price anywhere"),
        pytest.param(at("BM.GPU.GB200-v2.4", "x"), "64", True, id="a price taken from a like type"),
        pytest.param(
            n1("nvidia-tesla-t4", "2"),
            str(Fraction("0.189999") + 2 * Fraction("0.35")),
            False,
            id="a host and its accelerators, sold apart",
        ),
    ],
)
def test_quotes(node: NodeFacts, per_hour: str, assumed: bool) -> None:
    quote = lookup(catalog(), node)
    assert isinstance(quote, Quote)
    assert float(quote.per_hour) == pytest.approx(float(Fraction(per_hour)), rel=1e-4)
    assert quote.assumed is assumed
    assert node.instance_type in quote.origin


def test_a_listed_price_is_taken_exactly() -> None:
    quote = lookup(catalog(), at("p4d.24xlarge", "us-east-1"))
    assert isinstance(quote, Quote)
    assert quote.per_hour == Fraction("21.957642")


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(
            at("a4-highgpu-8g", "us-central1"), "no on-demand price", id="Flex-start only"
        ),
        pytest.param(at("m7i.large", "us-east-1"), "does not list", id="no accelerator type"),
        pytest.param(facts({}), "no instance type", id="no instance type"),
        pytest.param(n1("nvidia-l4", "1"), "nvidia-l4", id="an accelerator not sold apart"),
        pytest.param(n1("nvidia-tesla-t4", "1", "mars"), "mars", id="a host not listed there"),
        pytest.param(n1("nvidia-tesla-t4", "?"), "nvidia-tesla-t4", id="nobody says how many"),
    ],
)
def test_what_is_not_listed_is_unpriced_with_its_reason(node: NodeFacts, reason: str) -> None:
    quote = lookup(catalog(), node)
    assert isinstance(quote, Unpriced)
    assert reason in quote.reason


@pytest.mark.parametrize(
    ("zone", "price"),
    [
        ("us-east-1-wl1-atl-wlz-1", "us-east-1-wl1-atl1"),
        ("us-east-1-wl1-bos-wlz-1", "us-east-1-wl1"),
    ],
)
def test_wavelength_zones_have_prices_of_their_own(zone: str, price: str) -> None:
    node = at("g4dn.2xlarge", "us-east-1", zone)
    quote = lookup(catalog(), node)
    assert isinstance(quote, Quote)
    assert not quote.assumed
    assert quote.per_hour == Fraction(catalog().listings["g4dn.2xlarge", price].on_demand or "0")


def test_default_counts_devices_and_fractions() -> None:
    quote = device_default(catalog(), demo("dgx-h100"))
    assert isinstance(quote, Quote)
    assert (quote.per_hour, quote.assumed) == (Fraction("10.53") * 8, True)
    sixth = device_default(catalog(), facts(place("Standard_NV6ads_A10_v5")))
    assert isinstance(sixth, Quote)
    assert sixth.per_hour == Fraction("1.66") / 6


def test_no_default_for_an_unknown_model_or_number_of_devices() -> None:
    assert isinstance(device_default(catalog(), facts({})), Unpriced)
    unclear = replace(demo("h100"), devices=Unknown("why"))
    assert device_default(catalog(), unclear) == Unpriced("why")


@pytest.mark.parametrize(
    ("day", "age"),
    [("2026-10-04T00:00:00Z", 0), ("2026-10-05T23:59:59Z", 1), ("2026-09-01T00:00:00Z", 0)],
)
def test_the_catalog_says_its_age(day: str, age: int) -> None:
    now = parse_time(day)
    assert now is not None
    assert catalog().as_of == "2026-10-04"
    assert age_days(catalog(), now) == age


def test_a_damaged_catalog_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        parse_catalog("{}")


def test_catalog_parses_quickly() -> None:
    started = time.perf_counter()
    parse_catalog(text())
    assert time.perf_counter() - started < 0.5  # 0.1 s on an idle core; tests share theirs
