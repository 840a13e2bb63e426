"""The scalars and small objects that all our resources share, with their rules.

A rule stands once, on the type, and appears in every CRD that uses it. Rules are of two kinds: the
bounds of the OpenAPI schema (pydantic checks them too) and CEL expressions, which the API server
alone evaluates and whose messages people read. Money and other decimals are strings: a float can't
carry them exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from bursar.domain.time import parse_duration, parse_time
from bursar.errors import InvalidObject


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Make the schema extension that holds CEL rules.

    Args:
        rules: pairs of an expression over `self` that must be true, and what people are told
            where it is not.
    """
    return {
        "x-kubernetes-validations": [
            {"rule": expression, "message": message} for expression, message in rules
        ]
    }


@dataclass(frozen=True, slots=True, eq=False)  # hashed by identity: `keys` is a dict
class Extra:
    """Adds keys to the JSON schema of the type that it annotates."""

    keys: Mapping[str, Any]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the type's own schema with the keys added."""
        return {**handler(core_schema), **self.keys}


def list_map(*keys: str) -> Extra:
    """Declare a list whose items are told apart by these fields, for server-side apply."""
    return Extra({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


LIST_SET = Extra({"x-kubernetes-list-type": "set"})
LIST_ATOMIC = Extra({"x-kubernetes-list-type": "atomic"})
NULLABLE = Extra({"nullable": True})
"""Fields that documents show as `null`: the API server keeps a null only where this stands."""


def _moment(text: str) -> str:
    if parse_time(text) is None:
        problem = "must be an RFC 3339 time such as 2026-11-30T00:00:00Z"
        raise ValueError(problem)
    return text


def _duration(text: str) -> str:
    if parse_duration(text) is None:
        problem = "must be a duration such as 30m, 72h or 1d12h"
        raise ValueError(problem)
    return text


def number_to_text(value: object) -> object:
    """Read `30` like `"30"`; floats are left alone, and so refused: they are not exact."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_DECIMAL = r"^[0-9]{1,12}(\.[0-9]{1,9})?$"
_SIGNED = r"^-?[0-9]+(\.[0-9]+)?$"
_DURATION = r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d))+$"
_ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"

_HAS_HOURS = "timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0"
"""CEL that fails to evaluate where the API server's time zone data has no zone of that name."""

_IS_DECIMAL = (
    f"self.matches('{_DECIMAL}')".replace("\\", "\\\\"),
    'must be a decimal number that is not negative, in quotes, such as "12000" or "0.07"',
)
_IS_POSITIVE = ("self.matches('[1-9]')", "must be more than zero")
_IS_RATIO = (
    "self.matches('^(0([.][0-9]{1,9})?|1([.]0{1,9})?)$')",
    "must be between 0 and 1",
)

Decimal = Annotated[str, Field(pattern=_DECIMAL, max_length=22), Extra(cel(_IS_DECIMAL))]
"""A decimal that is not negative, as a string, with at most nine decimals."""
PositiveDecimal = Annotated[
    str, Field(pattern=_DECIMAL, max_length=22), Extra(cel(_IS_DECIMAL, _IS_POSITIVE))
]
"""A decimal above zero."""
Money = Decimal
"""Units of a currency, as a decimal string."""
PositiveMoney = PositiveDecimal
"""Units of a currency, more than none."""
Fraction01 = Annotated[
    str,
    Field(pattern=r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$", max_length=11),
    Extra(cel(_IS_RATIO)),
]
"""A ratio from 0 to 1, as a decimal string."""
PositiveFraction01 = Annotated[Fraction01, Extra(cel(_IS_RATIO, _IS_POSITIVE))]
"""A ratio above 0 and up to 1, as a decimal string."""
Amount = Annotated[str, Field(pattern=_SIGNED, max_length=64)]
"""A figure that the operator writes: a decimal string that may be negative."""
PercentText = Annotated[
    str,
    Field(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$", max_length=7),
    Extra(
        cel(
            (
                "self.matches('^(100|[0-9]{1,2}([.][0-9]{1,3})?)%$')",
                'must be a percentage from "0%" to "100%", with its sign',
            )
        )
    ),
]
"""A percentage with its sign, such as `5%`."""
Duration = Annotated[
    str,
    Field(pattern=_DURATION, max_length=32),
    Extra(
        cel(
            (
                f"self.matches('{_DURATION}')".replace("\\", "\\\\"),
                "must be a duration such as 30m, 72h or 1d12h",
            )
        )
    ),
    AfterValidator(_duration),
]
"""A length of time: numbers with the units d, h, m, s or ms."""
Timestamp = Annotated[
    str, Field(max_length=40), Extra({"format": "date-time"}), AfterValidator(_moment)
]
"""A moment as RFC 3339, such as `2026-11-30T00:00:00Z`."""
Date = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", max_length=10),
    Extra({"format": "date"}),
]
"""A calendar day, such as `2026-10-02`."""
ZoneName = Annotated[
    str,
    Field(pattern=_ZONE, max_length=64),
    Extra(
        cel(
            (
                f"self.matches('{_ZONE}') && self != 'Local'",
                "must be the IANA name of a time zone, such as Europe/Berlin or UTC",
            ),
            (
                # An unknown zone is an evaluation error, which refuses just as `false` does.
                f"!self.matches('{_ZONE}') || self == 'Local' || {_HAS_HOURS}",
                "no time zone has that name: use an IANA name, such as Europe/Berlin or UTC",
            ),
        )
    ),
]
"""The IANA name of a time zone."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3)]
"""An ISO 4217 code, such as `EUR`."""
Name = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=63)
]
"""A name that is unique in its list: lower-case letters, digits, `-` and `.`."""
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
"""Key of a Kubernetes label."""
LabelValue = Annotated[
    str, Field(pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", max_length=63)
]
"""Value of a Kubernetes label."""
Text = Annotated[str, Field(max_length=1024)]
"""Free text for people."""

WorkloadClass = Literal["training", "inference", "interactive", "other"]
"""The classes that people can name; `unknown` is not a wish."""
ReportedClass = Literal["training", "inference", "interactive", "other", "unknown"]
WindowClass = Literal["*", "training", "inference", "interactive", "other"]


class ApiModel(BaseModel):
    """Base of all parts of our resources: camelCase outside, unknown fields ignored, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        extra="ignore",
        frozen=True,
    )

    def dump(self) -> dict[str, Any]:
        """Return what the API takes: camelCase, JSON values only, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectMeta(ApiModel):
    """The part of an object's metadata that Bursar reads."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Resource(ApiModel):
    """Base of the kinds themselves."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    NAMESPACED: ClassVar[bool]
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ()
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = ()

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """Read an object as the API server returns it.

        A status that can't be read is taken as absent: the operator itself wrote it, perhaps in
        another version, and will write it anew.

        Raises:
            InvalidObject: another part of it is not what the schema says; the first offending
                field is named.
        """
        try:
            return cls.model_validate(obj)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if all(each["loc"][:1] == ("status",) for each in error.errors()):
                return cls.parse({**obj, "status": None})
        raise InvalidObject(
            kind=cls.KIND,
            field=_path(first["loc"]),
            problem=first["msg"],
            **_identity(obj),
        )


def _path(location: tuple[int | str, ...]) -> str:
    """Write pydantic's location of an error as Kubernetes does: `spec.grants[0].amount`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".")[:120]


def _identity(obj: object) -> dict[str, str]:
    """Take name and namespace out of an object that may be anything."""
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else None
    if not isinstance(metadata, Mapping):
        return {"namespace": "", "name": ""}
    return {key: str(metadata.get(key) or "")[:253] for key in ("namespace", "name")}


class Requirement(ApiModel):
    """One requirement on a label."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                "In and NotIn need values, Exists and DoesNotExist take none",
            )
        )
    )

    key: LabelKey
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label's value relates to `values`."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32), LIST_ATOMIC] = ()
    """Values for In and NotIn."""


class LabelSelector(ApiModel):
    """Selects by labels; all requirements must hold, an empty selector selects everything."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Labels that must have exactly these values."""
    match_expressions: Annotated[tuple[Requirement, ...], Field(max_length=16), LIST_ATOMIC] = ()
    """Further requirements."""


class Condition(ApiModel):
    """One aspect of the object's state, as Kubernetes' API conventions define it."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Which aspect."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[
        str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", max_length=1024)
    ]
    """One CamelCase word for programs."""
    message: Annotated[str, Field(max_length=32768)]
    """A sentence for people."""
    last_transition_time: Timestamp
    """Since when the status is what it is."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Which generation of the object this judges."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), list_map("type")]


class Status(ApiModel):
    """What every status of ours has."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this status judges."""
    conditions: Conditions = ()
    """Ready and its companions; see the reference of conditions."""


def column(name: str, path: str, *, type: str = "string", priority: int = 0) -> dict[str, Any]:  # noqa: A002
    """Describe one column of `kubectl get`; priority 1 shows it with `-o wide` only."""
    described: dict[str, Any] = {"name": name, "type": type, "jsonPath": path}
    return {**described, "priority": priority} if priority else described


READY_COLUMN = column("Ready", ".status.conditions[?(@.type=='Ready')].status")
AGE_COLUMN = column("Age", ".metadata.creationTimestamp", type="date")
