"""The bundled catalog of list prices, and what it says of one node.

Parsed from the catalog's text, which is handed in: this module reads no file. A quote says
whether it is the price asked for or stands in for it (`assumed`); it must never price a spot node
by a dated figure, a local zone by its parent's price unsaid, or anything by zero.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bursar.domain.rate import Unpriced
from bursar.domain.time import DAY, Ms, parse_time
from bursar.domain.unknown import Unknown
from bursar.domain.workload import NodeFacts

GKE_ACCELERATOR = "cloud.google.com/gke-accelerator"
ANYWHERE = "*"
ON_DEMAND, SPOT, CAPACITY_BLOCK = "on-demand", "spot", "capacity-block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A type's prices in one place, in currency units an hour, as decimal strings.

    Attributes:
        kind: `list`, `assumed` (converted, or taken from a like type) or `none`.
        spot_kind: `list`, `estimate` (from the cloud's published saving) or `none`.
    """

    on_demand: str | None
    spot: str | None
    kind: str
    spot_kind: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All list prices.

    Attributes:
        as_of: day of the newest price.
        listings: by (instance type, region or zone or `*`).
        instances: (cloud, region whose price stands in for a region not listed) by type.
        blocks: (price, date) of capacity blocks, by (instance type, region).
        hosts: GCP hosts without their accelerators, by (type, region).
        addons: GCP accelerators sold beside a host, by (GKE's label, region).
        defaults: (price of a device-hour, whose prices) by canonical accelerator.
    """

    as_of: str
    currency: str
    listings: Mapping[tuple[str, str], Listing]
    instances: Mapping[str, tuple[str, str]]
    blocks: Mapping[tuple[str, str], tuple[str, str]]
    hosts: Mapping[tuple[str, str], Listing]
    addons: Mapping[tuple[str, str], Listing]
    defaults: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A price for a whole node.

    Attributes:
        per_hour: units of `currency` an hour.
        origin: one line that names the source.
        assumed: whether it stands in for a price that is not known.
    """

    per_hour: Fraction
    currency: str
    origin: str
    assumed: bool


def parse_catalog(text: str) -> Catalog:
    """Read the prices of a catalog.

    Raises:
        ValueError: the text is no catalog of this version; it ships with the package, so this is a
            broken installation.
    """
    try:
        data: Mapping[str, Any] = json.loads(text)
        return Catalog(
            as_of=data["header"]["asOf"],
            currency=data["header"]["currency"],
            listings={(row[0], row[1]): _listing(*row[2:]) for row in data["prices"]},
            instances={row[1]: (row[0], row[5]) for row in data["instances"]},
            blocks={(row[0], row[1]): (row[2], row[3]) for row in data["capacityBlocks"]},
            hosts={(row[0], row[1]): _plain(*row[2:]) for row in data["gcpHosts"]},
            addons={(row[0], row[1]): _plain(*row[2:]) for row in data["gcpAccelerators"]},
            defaults={row[0]: (row[1], row[2]) for row in data["deviceHourDefaults"]},
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the bundled catalog is damaged: {error!r}") from error


def _listing(on_demand: str | None, spot: str | None, *rest: str) -> Listing:
    kind, spot_kind, date = rest
    return Listing(on_demand=on_demand, spot=spot, kind=kind, spot_kind=spot_kind, date=date)


def _plain(on_demand: str | None, spot: str | None, date: str) -> Listing:
    return Listing(on_demand=on_demand, spot=spot, kind="list", spot_kind="list", date=date)


def lookup(catalog: Catalog, facts: NodeFacts) -> Quote | Unpriced:
    """The list price of a node, by instance type, place and capacity type."""
    if not facts.instance_type:
        return Unpriced("the node has no instance type")
    if facts.instance_type.startswith("n1-"):
        return _host_and_accelerators(catalog, facts)
    if facts.instance_type not in catalog.instances:
        return Unpriced(f"the catalog does not list {facts.instance_type[:63]}")
    cloud, default_region = catalog.instances[facts.instance_type]
    block = _block(catalog, facts, cloud) if facts.capacity_type == CAPACITY_BLOCK else None
    if block is not None:
        return block
    for area, exact in _areas(facts, cloud):
        listing = catalog.listings.get((facts.instance_type, area))
        if listing is not None:
            return _quote(catalog, facts, listing, f"{cloud} {area}", exact=exact)
    listing = catalog.listings[facts.instance_type, default_region]
    where = facts.zone or facts.region or "a place that the node does not tell"
    place = f"{cloud} {default_region}, for want of {where[:63]}"
    return _quote(catalog, facts, listing, place, exact=False)


def age_days(catalog: Catalog, now: Ms) -> int:
    """Whole days since the newest price of the catalog; 0 where that lies ahead."""
    day = parse_time(f"{catalog.as_of}T00:00:00Z")
    return max(0, now - day) // DAY if day is not None else 0


def _block(catalog: Catalog, facts: NodeFacts, cloud: str) -> Quote | None:
    """The price of a capacity block; of another region's, where this one's is not listed."""
    listed = {area: each for (name, area), each in catalog.blocks.items()
              if name == facts.instance_type}  # fmt: skip
    for area, exact in _areas(facts, cloud):
        if area in listed:
            text, day = listed[area]
            origin = f"catalog {day} {cloud} {area} {facts.instance_type} {CAPACITY_BLOCK}"
            return _made(catalog, text, origin, assumed=not exact)
    for area, (text, day) in sorted(listed.items()):
        where = f"{cloud} {area}, for want of {(facts.region or 'its region')[:63]}"
        origin = f"catalog {day} {where} {facts.instance_type} {CAPACITY_BLOCK}"
        return _made(catalog, text, origin, assumed=True)
    return None


def device_default(catalog: Catalog, facts: NodeFacts) -> Quote | Unpriced:
    """What a node with so many devices of its model costs elsewhere: always an assumption."""
    if facts.accelerator not in catalog.defaults:
        return Unpriced(f"no default price for accelerator {facts.accelerator}")
    if isinstance(facts.devices, Unknown):
        return Unpriced(facts.devices.reason)
    text, whose = catalog.defaults[facts.accelerator]
    return Quote(
        per_hour=Fraction(text) * facts.devices * facts.device_fraction,
        currency=catalog.currency,
        origin=f"default for {facts.accelerator} ({whose}, catalog {catalog.as_of})",
        assumed=True,
    )


def _areas(facts: NodeFacts, cloud: str) -> Iterator[tuple[str, bool]]:
    """Names under which a place may be listed, the narrowest first, and whether each is exact.

    A local or wavelength zone has prices of its own; its parent region's are not them.
    """
    zone, region = facts.zone, facts.region
    if zone:
        yield zone, True
        # aws: us-east-1-lim-1a is a zone of the group us-east-1-lim-1 (and us-east-1a of us-east-1)
        yield re.sub(r"(?<=\d)[a-z]$", "", zone), True
        yield from ((name, True) for name in _wavelength(zone))
        if not region:  # Google writes us-central1-a, Azure eastus-1
            yield re.sub(r"-(?:[a-z]|\d)$", "", zone), cloud != "aws"
    if region:
        plain = re.fullmatch(re.escape(region) + r"-?[a-z0-9]?", zone) is not None
        yield region, cloud != "aws" or not zone or plain
    yield ANYWHERE, True


def _wavelength(zone: str) -> Iterator[str]:
    """AWS names the wavelength zone us-east-1-wl1-atl-wlz-1 us-east-1-wl1-atl1 in its prices.

    The first zone of a carrier in a country has no city in that name: Boston and San Francisco.
    """
    match = re.fullmatch(r"(?P<carrier>.+-wl\d+)-(?P<city>[a-z]{3})-wlz-(?P<number>\d+)", zone)
    if match is not None:
        yield f"{match['carrier']}-{match['city']}{match['number']}"
        if match["city"] in {"bos", "sfo"}:
            yield match["carrier"]


def _quote(
    catalog: Catalog, facts: NodeFacts, listing: Listing, place: str, *, exact: bool
) -> Quote | Unpriced:
    """Choose between on-demand and spot, and say where one stands in for the other."""
    source = f"catalog {listing.date} {place} {facts.instance_type}"
    if facts.capacity_type == SPOT and listing.spot is not None:
        how = "spot, estimated" if listing.spot_kind == "estimate" else "spot"
        return _made(catalog, listing.spot, f"{source} {how}", assumed=not exact)
    if listing.on_demand is None:
        return Unpriced(f"{source}: no on-demand price is published")
    how = ON_DEMAND
    if facts.capacity_type != ON_DEMAND:
        how += f" (for a node whose capacity type is {facts.capacity_type})"
    assumed = not exact or facts.capacity_type != ON_DEMAND or listing.kind == "assumed"
    return _made(catalog, listing.on_demand, f"{source} {how}", assumed=assumed)


def _made(catalog: Catalog, text: str, origin: str, *, assumed: bool) -> Quote:
    return Quote(per_hour=Fraction(text), currency=catalog.currency, origin=origin, assumed=assumed)


def _host_and_accelerators(catalog: Catalog, facts: NodeFacts) -> Quote | Unpriced:
    """GCP sells N1 hosts and the accelerators in them apart: the label tells which."""
    label = facts.labels.get(GKE_ACCELERATOR, "")
    area = facts.region or re.sub(r"-[a-z]$", "", facts.zone)
    host = catalog.hosts.get((facts.instance_type, area))
    addon = catalog.addons.get((label, area))
    if host is None:
        return Unpriced(f"the catalog does not list {facts.instance_type[:63]} in {area[:63]}")
    if addon is None or isinstance(facts.devices, Unknown):
        what = label[:63] or "which accelerator the host has"
        return Unpriced(f"the catalog does not tell the price of {what} in {area[:63]}")
    both = Listing(
        on_demand=_sum(host.on_demand, addon.on_demand, facts.devices),
        spot=_sum(host.spot, addon.spot, facts.devices),
        kind="list",
        spot_kind="list",
        date=min(host.date, addon.date),
    )
    return _quote(catalog, facts, both, f"gcp {area} {facts.devices} × {label} +", exact=True)


def _sum(host: str | None, addon: str | None, devices: Fraction) -> str | None:
    if host is None or addon is None:
        return None
    return str(Fraction(host) + Fraction(addon) * devices)
