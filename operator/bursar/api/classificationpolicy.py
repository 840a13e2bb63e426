"""ClassificationPolicy: an organisation's own knowledge of what its workloads are.

Mappings read labels that people already set; rules add named evidence to the built-in table.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from bursar.api.common import (
    AGE_COLUMN,
    READY_COLUMN,
    ApiModel,
    Extra,
    LabelKey,
    Name,
    Resource,
    Status,
    Text,
    WorkloadClass,
    cel,
    column,
    list_map,
    number_to_text,
)

_WEIGHT = r"^-?(20([.]0{1,6})?|1?[0-9]([.][0-9]{1,6})?)$"

Weight = Annotated[
    str,
    Field(pattern=_WEIGHT, max_length=10),
    BeforeValidator(number_to_text),  # outside: on its inside the schema would lose the pattern
    Extra(
        {
            "x-kubernetes-int-or-string": True,
            # The text's own bounds are the pattern's: to CEL it could be megabytes long.
            **cel(
                (
                    "type(self) == string || (self >= -20 && self <= 20)",
                    "must be log-odds from -20 to 20",
                )
            ),
        }
    ),
]
"""Log-odds from −20 to 20, as a number or, where they have decimals, as a string."""


class Mapping(ApiModel):
    """A label of the organisation, and what its values mean."""

    key: LabelKey
    """Key of the label, on a pod, its owners or its namespace; the narrowest wins."""
    values: Annotated[dict[str, WorkloadClass], Field(min_length=1, max_length=64)]
    """The class that each value stands for."""


class Rule(ApiModel):
    """Evidence for a class, found by an expression."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.weight) != (has(self.verdict) && self.verdict)",
                "set exactly one of weight and `verdict: true`",
            )
        )
    )

    name: Name
    """Names the rule where a classification explains itself."""
    expression: Annotated[str, Field(min_length=1, max_length=4096)]
    """CEL over `object`, the pod; true where the rule applies."""
    class_: Annotated[WorkloadClass, Field(alias="class")]
    """The class that it speaks for."""
    weight: Weight | None = None
    """How strongly, as log-odds added to the class."""
    verdict: Literal[True] | None = None
    """True: it decides alone."""
    description: Text | None = None
    """What it is for."""


class ClassificationPolicySpec(ApiModel):
    """Mappings and rules."""

    mappings: Annotated[tuple[Mapping, ...], Field(max_length=32), list_map("key")] = ()
    """Labels of the organisation, read as its own word."""
    rules: Annotated[tuple[Rule, ...], Field(max_length=64), list_map("name")] = ()
    """Evidence beside the built-in table."""


class ClassificationPolicyStatus(Status):
    """What the operator made of it."""


class ClassificationPolicy(Resource):
    """An organisation's own knowledge of what its workloads are."""

    KIND: ClassVar[str] = "ClassificationPolicy"
    PLURAL: ClassVar[str] = "classificationpolicies"
    NAMESPACED: ClassVar[bool] = False
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("clp",)
    COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        READY_COLUMN,
        column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
        AGE_COLUMN,
    )

    spec: ClassificationPolicySpec
    """What is wanted."""
    status: ClassificationPolicyStatus | None = None
    """What the operator found; written by it alone."""
