"""PriceBook: what accelerator nodes cost where the list price is not the truth.

Cluster-scoped. Several are merged, the more specific rule wins, ties go by name, and a tie that
changes a price becomes a condition.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from bursar.api.common import (
    AGE_COLUMN,
    LIST_ATOMIC,
    LIST_SET,
    NULLABLE,
    READY_COLUMN,
    ApiModel,
    Currency,
    Decimal,
    Extra,
    Fraction01,
    LabelValue,
    Money,
    Name,
    PositiveDecimal,
    PositiveFraction01,
    Resource,
    Status,
    Timestamp,
    cel,
    column,
    list_map,
    number_to_text,
)

NodeSelector = Annotated[dict[str, LabelValue], Field(max_length=16)]
"""Labels that a node must have, with exactly these values; empty: every node."""
AcceleratorName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", min_length=1, max_length=63)
]
"""Canonical name of an accelerator in lower case, such as `h100-sxm5-80gb`."""
CapacityType = Literal["on-demand", "spot", "reserved", "capacity-block", "owned"]
"""How a node is bought; `owned` is what ownedHardware matches and no label says otherwise of."""
Percent = Annotated[
    str,
    Field(pattern=r"^(100(\.0{1,6})?|[0-9]{1,2}(\.[0-9]{1,6})?)$", max_length=10),
    BeforeValidator(number_to_text),  # outside: on its inside the schema would lose the pattern
    Extra(
        {
            "x-kubernetes-int-or-string": True,
            # The text's own bounds are the pattern's: to CEL it could be megabytes long.
            **cel(
                (
                    "type(self) == string || (self >= 0 && self <= 100)",
                    "must be a percentage from 0 to 100, without a sign",
                )
            ),
        }
    ),
]
"""A percentage from 0 to 100, as a number or, where it has decimals, as a string."""

RATE_FORMS = ("perHour", "perDeviceHour", "discountPercent", "multiplier")
"""The ways in which a rate can be given: two prices, and two changes to another one."""

_ENDS_LATER = (
    "!has(self.validFrom) || !has(self.validUntil) || self.validUntil > self.validFrom",
    "validUntil must be later than validFrom",
)


class ExchangeRate(ApiModel):
    """What a currency is worth."""

    model_config = ConfigDict(json_schema_extra=cel(_ENDS_LATER))

    currency: Currency
    """The currency."""
    rate: PositiveDecimal
    """Units of the reporting currency for one unit of it."""
    valid_from: Timestamp | None = None
    """From when on; default: always."""
    valid_until: Timestamp | None = None
    """Until when; default: until a later entry."""


class RateRule(ApiModel):
    """A price for the nodes that it matches: a sum, or a change to what the next source says."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                f"[{', '.join(f'has(self.{form})' for form in RATE_FORMS)}].exists_one(f, f)",
                f"a rate needs exactly one of {', '.join(RATE_FORMS)}",
            ),
            _ENDS_LATER,
        )
    )

    name: Name
    """Names the rule in the origin of a price."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Labels of the nodes that it is for; none: every node."""
    accelerator: AcceleratorName | None = None
    """Accelerator of the nodes that it is for; default: any."""
    capacity_types: Annotated[tuple[CapacityType, ...], Field(max_length=5), LIST_SET] = ()
    """How the nodes are bought; none: any way."""
    valid_from: Timestamp | None = None
    """From when on; default: always."""
    valid_until: Timestamp | None = None
    """Until when; default: further notice."""
    currency: Currency | None = None
    """Currency of the price; default: the reporting currency."""
    per_hour: Money | None = None
    """What the whole node costs an hour."""
    per_device_hour: Money | None = None
    """What each of its devices costs an hour."""
    discount_percent: Percent | None = None
    """Taken off the price of the next source."""
    multiplier: Decimal | None = None
    """Times the price of the next source."""


class Term(ApiModel):
    """How long a commitment runs."""

    model_config = ConfigDict(
        json_schema_extra=cel(("self.end > self.start", "end must be later than start"))
    )

    start: Timestamp
    """Its first moment."""
    end: Timestamp
    """Its end."""


class Commitment(ApiModel):
    """Capacity that is paid for, used or not; the unused part is a line of its own."""

    name: Name
    """Names the commitment."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Labels of the nodes that may hold it; where more match than `count`, the oldest do. Spot
    nodes never do."""
    accelerator: AcceleratorName | None = None
    """Accelerator of the nodes that may hold it."""
    count: Annotated[int, Field(ge=1, le=100_000)]
    """How many nodes are committed to."""
    currency: Currency | None = None
    """Currency of the price; default: the reporting currency."""
    per_hour: Money
    """What each costs an hour."""
    term: Term
    """How long it runs."""


class PerMonth(ApiModel):
    """Running costs of one node a month."""

    hosting: Money = "0"
    """Space, network and hands in the data center."""
    staff: Money = "0"
    """People who run it."""


class OwnedHardware(ApiModel):
    """Nodes that were bought: depreciation, running costs and power make their hourly cost."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "double(self.residualValue) <= double(self.purchasePrice)",
                "residualValue must not be more than purchasePrice",
            ),
            (
                "(has(self.watts) && self.watts > 0) == has(self.pricePerKWh)",
                "watts and pricePerKWh belong together: power has a price only with both",
            ),
            ("double(self.pue) >= 1.0", "pue must be at least 1"),
        )
    )

    name: Name
    """Names the hardware in the origin of a price."""
    node_selector: NodeSelector = Field(default_factory=dict)
    """Labels of the nodes."""
    accelerator: AcceleratorName | None = None
    """Accelerator of the nodes; default: any."""
    currency: Currency | None = None
    """Currency of the sums; default: the reporting currency."""
    purchase_price: Money
    """What one node cost."""
    residual_value: Money = "0"
    """What it is worth at the end."""
    depreciation_months: Annotated[int, Field(ge=1, le=600)]
    """Months over which it loses value, in a straight line."""
    in_service_from: Timestamp
    """When depreciation starts."""
    per_month: PerMonth | None = None
    """Running costs of one node a month."""
    watts: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    """Electric power of one node."""
    price_per_kwh: Annotated[Money | None, Field(alias="pricePerKWh")] = None
    """What a kilowatt-hour costs."""
    pue: Decimal = "1"
    """Power usage effectiveness: what the data center draws for each watt of the node."""
    expected_utilization: Annotated[PositiveFraction01, NULLABLE] | None = None
    """Share of the time in which devices are expected to be held; pods then pay the rate divided by
    it. Absent: pods pay the plain rate."""


class AcceleratorWeight(ApiModel):
    """How much an hour of an accelerator counts in normalized GPU-hours."""

    accelerator: AcceleratorName
    """The accelerator."""
    weight: Decimal
    """Its weight."""


class PriceBookSpec(ApiModel):
    """Rates, hardware and weights."""

    exchange_rates: Annotated[tuple[ExchangeRate, ...], Field(max_length=128), LIST_ATOMIC] = ()
    """What other currencies are worth, by time."""
    rates: Annotated[tuple[RateRule, ...], Field(max_length=256), list_map("name")] = ()
    """Negotiated prices and discounts."""
    commitments: Annotated[tuple[Commitment, ...], Field(max_length=128), list_map("name")] = ()
    """Reserved capacity."""
    owned_hardware: Annotated[
        tuple[OwnedHardware, ...], Field(max_length=128), list_map("name")
    ] = ()
    """Nodes that were bought."""
    accelerator_weights: Annotated[
        tuple[AcceleratorWeight, ...], Field(max_length=128), list_map("accelerator")
    ] = ()
    """What an hour of each accelerator counts in normalized GPU-hours."""
    cpu_memory_share: Annotated[
        Fraction01,
        PositiveFraction01,
        Extra(
            cel(
                (
                    "self.matches('^0([.][0-9]{1,9})?$')",
                    "cpuMemoryShare must be at least 0 and below 1",
                )
            )
        ),
    ] = "0"
    """Share of a node's price that its CPU and memory carry, as a line of its own. Of several books
    the first by name that gives a share holds, for all nodes."""


class PriceBookStatus(Status):
    """What the operator made of it."""


class PriceBook(Resource):
    """What accelerator nodes cost where the list price is not the truth."""

    KIND: ClassVar[str] = "PriceBook"
    PLURAL: ClassVar[str] = "pricebooks"
    NAMESPACED: ClassVar[bool] = False
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("pb",)
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        READY_COLUMN,
        column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
        AGE_COLUMN,
    )

    spec: PriceBookSpec
    """What is wanted."""
    status: PriceBookStatus | None = None
    """What the operator found; written by it alone."""
