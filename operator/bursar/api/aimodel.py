"""AIModel: one model's workloads, storage, versions and obligations, tied together for its KPIs."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from bursar.api.common import (
    AGE_COLUMN,
    LIST_ATOMIC,
    READY_COLUMN,
    Amount,
    ApiModel,
    Date,
    Decimal,
    Fraction01,
    LabelSelector,
    LabelValue,
    Money,
    PositiveDecimal,
    Resource,
    Status,
    Text,
    cel,
    column,
    list_map,
)

Title = Annotated[str, Field(min_length=1, max_length=128)]
"""A name that people read, unique in its list."""
ParameterCount = Annotated[
    str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?[KMBT]?$", max_length=20)
]
"""A count of parameters: a number with K, M, B or T, such as `7.2B`."""
Query = Annotated[str, Field(min_length=1, max_length=2048)]
"""A PromQL expression."""


class TrainedBy(ApiModel):
    """The run that made a version."""

    job: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the run's top workload in this namespace."""


class Version(ApiModel):
    """One version of the model, and how good it is."""

    name: Title
    """Such as `v12`."""
    metric: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """What was measured, such as `auc`."""
    value: Amount | None = None
    """What the measurement gave."""
    trained_by: TrainedBy | None = None
    """The run that made it."""


class Metric(ApiModel):
    """How versions are compared, and what the difference is worth."""

    direction: Literal["HigherIsBetter", "LowerIsBetter"]
    """Which way is better."""
    point_size: PositiveDecimal | None = None
    """What counts as one point."""
    value_per_point: Money | None = None
    """What one point is worth."""


class Queries(ApiModel):
    """PromQL of a server that no preset knows."""

    requests: Query | None = None
    """Successful requests a second."""
    tokens: Query | None = None
    """Tokens a second."""
    latency: Query | None = None
    """Latency in seconds at the objective's quantile."""
    availability: Query | None = None
    """Share of requests that succeeded."""


class Objective(ApiModel):
    """The service level objective."""

    latency_seconds: PositiveDecimal | None = None
    """Latency that must be met."""
    quantile: Fraction01 | None = None
    """Share of the requests that must meet it."""
    availability: Fraction01 | None = None
    """Share of the requests that must succeed."""


class Serving(ApiModel):
    """How the model's serving is measured."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "(has(self.preset) && self.preset == 'custom') == has(self.queries)",
                "preset custom needs queries, and only custom takes them",
            )
        )
    )

    preset: Literal["vllm", "tgi", "triton", "kserve", "sglang", "tei", "custom"] | None = None
    """The server whose metrics are read."""
    queries: Queries | None = None
    """PromQL, for preset custom."""
    slo: Objective | None = None
    """The service level objective."""
    value_per_hour: Money | None = None
    """What an hour without the model costs the business."""


class StoredObjects(ApiModel):
    """Objects outside the cluster."""

    name: Title
    """Names them."""
    gib: Decimal
    """Their size in GiB."""
    per_gib_month: Annotated[Money, Field(alias="perGiBMonth")]
    """What a GiB costs a month."""


class Storage(ApiModel):
    """Where the model lies."""

    persistent_volume_claims: LabelSelector | None = None
    """Claims that hold it."""
    per_gib_month: Annotated[Money | None, Field(alias="perGiBMonth")] = None
    """What a GiB of a claim costs a month."""
    objects: Annotated[tuple[StoredObjects, ...], Field(max_length=32), list_map("name")] = ()
    """Objects outside the cluster."""


class Obligation(ApiModel):
    """A cost that no meter sees."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.date) != has(self.per)",
                "an obligation falls due once or again and again: set exactly one of date and per",
            ),
            (
                "!has(self.amortizeMonths) || (self.type == 'CapEx' && has(self.date))",
                "only a CapEx with a date is amortized",
            ),
        )
    )

    kind: Literal["Compliance", "FairnessAudit", "Maintenance"]
    """What it is for."""
    name: Title
    """Names it."""
    cost: Money
    """What it costs, once or each time."""
    type: Literal["CapEx", "OpEx"]
    """How it is booked."""
    date: Date | None = None
    """When it falls due."""
    per: Literal["Month", "Quarter", "Year"] | None = None
    """How often it recurs."""
    amortize_months: Annotated[int, Field(ge=1, le=600)] | None = None
    """Months over which it is written off, in a straight line."""


class Alternative(ApiModel):
    """An API that could answer instead."""

    provider: Annotated[str, Field(min_length=1, max_length=63)]
    """Who offers it."""
    model: Annotated[str, Field(min_length=1, max_length=253)]
    """Which model of theirs."""
    per_million_input_tokens: Money | None = None
    """Its price; default: the bundled table's."""
    per_million_output_tokens: Money | None = None
    """Its price; default: the bundled table's."""


class Consumer(ApiModel):
    """Somebody who uses the endpoint, and bears a part of its cost."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("has(self.share) != has(self.query)", "set exactly one of share and query")
        )
    )

    team: Annotated[LabelValue, Field(min_length=1)]
    """Who."""
    share: Fraction01 | None = None
    """The agreed part."""
    query: Query | None = None
    """PromQL whose value, in proportion to the others', is the part."""


_BY_SHARES = "self.consumers.all(c, has(c.share))"
_SUM = "self.consumers.map(c, double(c.share)).sum()"
_SUMS_TO_ONE = f"size(self.consumers) == 0 || ({_SUM} > 0.999999 && {_SUM} < 1.000001)"
"""Doubles, because CEL has no decimals: hence the tolerance, far under any real share."""


class AIModelSpec(ApiModel):
    """What belongs to the model."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                f"!has(self.consumers) || {_BY_SHARES} || self.consumers.all(c, has(c.query))",
                "consumers are split by shares or by queries, not by both",
            ),
            (
                f"!has(self.consumers) || !{_BY_SHARES} || ({_SUMS_TO_ONE})",
                "the consumers' shares must sum to 1",
            ),
        )
    )

    workloads: LabelSelector | None = None
    """Its workloads; default: those labeled with its name."""
    parameters: ParameterCount | None = None
    """How many parameters it has, such as `7.2B`."""
    trainable_parameters: ParameterCount | None = None
    """How many of them fine-tuning changes; default: all."""
    versions: Annotated[tuple[Version, ...], Field(max_length=128), list_map("name")] = ()
    """Its versions, oldest first."""
    metric: Metric | None = None
    """How versions are compared."""
    serving: Serving | None = None
    """How its serving is measured."""
    storage: Storage | None = None
    """Where it lies."""
    obligations: Annotated[tuple[Obligation, ...], Field(max_length=64), list_map("name")] = ()
    """Compliance, audits and maintenance."""
    alternatives: Annotated[
        tuple[Alternative, ...], Field(max_length=16), list_map("provider", "model")
    ] = ()
    """APIs that it is compared with."""
    consumers: Annotated[tuple[Consumer, ...], Field(max_length=64), list_map("team")] = ()
    """Who bears its cost, in proportion."""


class KpiInput(ApiModel):
    """A figure that a KPI was computed from."""

    name: Title
    """Which figure."""
    value: Annotated[str, Field(max_length=64)]
    """What it was."""
    unit: Annotated[str, Field(max_length=32)] | None = None
    """In which unit."""


class Kpi(ApiModel):
    """One KPI of the model."""

    name: Title
    """Which one."""
    infrastructure: Literal["self-managed", "partially-managed", "fully-managed"]
    """On what the part ran that it speaks of."""
    value: Amount | None = None
    """Its value; absent where it can't be told."""
    unit: Annotated[str, Field(max_length=32)] | None = None
    """In which unit."""
    window: Annotated[str, Field(max_length=64)] | None = None
    """Over what time."""
    basis: Literal["measured", "modelled", "declared"]
    """How its inputs came about."""
    inputs: Annotated[tuple[KpiInput, ...], Field(max_length=16), LIST_ATOMIC] = ()
    """What it was computed from."""
    message: Text | None = None
    """Why there is no value, or what to know about it."""


class AIModelStatus(Status):
    """The model's KPIs."""

    kpis: Annotated[tuple[Kpi, ...], Field(max_length=96), list_map("name", "infrastructure")] = ()
    """One entry a KPI and kind of infrastructure."""


class AIModel(Resource):
    """One model's workloads, storage, versions and obligations, tied together for its KPIs."""

    KIND: ClassVar[str] = "AIModel"
    PLURAL: ClassVar[str] = "aimodels"
    NAMESPACED: ClassVar[bool] = True
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("aim",)
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        column("Parameters", ".spec.parameters"),
        column("Serving", ".spec.serving.preset"),
        READY_COLUMN,
        AGE_COLUMN,
    )

    spec: AIModelSpec
    """What is wanted."""
    status: AIModelStatus | None = None
    """What the operator found; written by it alone."""
