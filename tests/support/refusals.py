"""One case a validation rule: a small change to an example, and what the API server answers.

The contract test holds this table against the generated CRDs, so that no rule is without a case;
the cluster test sends each case to a real API server.
"""

from dataclasses import dataclass
from typing import Any

from support.examples import DROP


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A change that must be refused.

    Attributes:
        kind: whose example is changed.
        says: a part of the API server's answer.
        changes: values by path, as `support.examples.changed` takes them.
    """

    id: str
    kind: str
    says: str
    changes: dict[str, Any]


def _cases(kind: str, *rows: tuple[str, dict[str, Any], str]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(id=name, kind=kind, changes=changes, says=says) for name, changes, says in rows
    )


_DECIMAL = "must be a decimal number that is not negative"
_REQUIREMENT = {"key": "a", "operator": "In"}

BUDGETS = _cases(
    "AIBudget",
    ("a negative limit is refused", {"spec.limits.cost": "-12000"}, _DECIMAL),
    ("a limit with an exponent is refused", {"spec.limits.cost": "1e9"}, _DECIMAL),
    ("a limit that is no string is refused", {"spec.limits.cost": 12000}, "must be of type string"),
    ("a limit with eighteen digits is refused", {"spec.limits.cost": "9" * 18}, _DECIMAL),
    ("a negative class limit is refused", {"spec.classes.training.cost": "-1"}, _DECIMAL),
    ("a budget without limits is refused", {"spec.limits": DROP}, "Required value"),
    ("limits without a limit are refused", {"spec.limits": {}}, "at least one limit must be set"),
    (
        "a class without a limit is refused",
        {"spec.classes.training": {}},
        "at least one limit must be set",
    ),
    (
        "a sub-limit of an unknown class is refused",
        {"spec.classes.rendering": {"cost": "1"}},
        "classes must be among training, inference, interactive and other",
    ),
    ("an unknown period is refused", {"spec.period": "Fortnightly"}, "Unsupported value"),
    ("an unknown zone is refused", {"spec.timeZone": "Mars/Phobos"}, "no time zone has that name"),
    (
        "the API server's own zone is refused",
        {"spec.timeZone": "Local"},
        "must be the IANA name of a time zone",
    ),
    (
        "a fixed offset is refused as a zone",
        {"spec.timeZone": "+01:00"},
        "must be the IANA name of a time zone",
    ),
    ("period Once without until is refused", {"spec.period": "Once"}, "period Once needs until"),
    (
        "until with a calendar period is refused",
        {"spec.until": "2027-01-01T00:00:00Z"},
        "until belongs to period Once",
    ),
    (
        "an until that is no time is refused",
        {"spec.period": "Once", "spec.until": "tomorrow"},
        "must be of type date-time",
    ),
    (
        "thresholds out of order are refused",
        {
            "spec.thresholds": [
                {"percent": 100, "actions": ["Hold"]},
                {"percent": 80, "actions": ["Warn"]},
            ]
        },
        "thresholds must be in ascending order",
    ),
    (
        "a threshold that stands twice is refused",
        {
            "spec.thresholds": [
                {"percent": 80, "actions": ["Hold"]},
                {"percent": 80, "actions": ["Warn"]},
            ]
        },
        "Duplicate value",
    ),
    ("an empty list of thresholds is refused", {"spec.thresholds": []}, "at least 1 items"),
    (
        "a threshold of no percent is refused",
        {"spec.thresholds.0.percent": 0},
        "greater than or equal to 1",
    ),
    (
        "a threshold beyond a thousand percent is refused",
        {"spec.thresholds.2.percent": 1001},
        "less than or equal to 1000",
    ),
    (
        "a threshold without an action is refused",
        {"spec.thresholds.0.actions": []},
        "at least 1 items",
    ),
    (
        "an unknown action is refused",
        {"spec.thresholds.0.actions": ["Explode"]},
        "Unsupported value",
    ),
    (
        "a bound for workloads without one is refused",
        {"spec.perWorkload": {}},
        "set cost, duration",
    ),
    (
        "an odd duration is refused",
        {"spec.perWorkload.duration": "3 days"},
        "must be a duration such as 30m",
    ),
    ("an unknown admission is refused", {"spec.admission": "Maybe"}, "Unsupported value"),
    ("unknownAs unknown is refused", {"spec.unknownAs": "unknown"}, "Unsupported value"),
    (
        "a percentage without its sign is refused",
        {"spec.idle.below": "5"},
        "must be a percentage from",
    ),
    ("a percentage above 100 is refused", {"spec.idle.below": "101%"}, "must be a percentage from"),
    (
        "a carry-over above 100 % is refused",
        {"spec.carryOver.unused.maxPercent": 101},
        "less than or equal to 100",
    ),
    ("a grant of nothing is refused", {"spec.grants.0.amount": "0.00"}, "must be more than zero"),
    ("a negative grant is refused", {"spec.grants.0.amount": "-5"}, _DECIMAL),
    ("a grant without an end is refused", {"spec.grants.0.until": DROP}, "Required value"),
    (
        "a channel that is told nothing is refused",
        {"spec.notify.0": {"urlSecretRef": {"name": "a", "key": "b"}}},
        "on must say what is sent to the channel",
    ),
    (
        "a class stopped twice is refused",
        {"spec.stop.order": ["other", "other"]},
        "Duplicate value",
    ),
    (
        "In without values is refused",
        {"spec.selector.matchExpressions": [_REQUIREMENT]},
        "In and NotIn need values",
    ),
    (
        "Exists with values is refused",
        {"spec.selector.matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
        "Exists and DoesNotExist take none",
    ),
    (
        "more expressions than the policies can afford are refused",
        {"spec.selector.matchExpressions": [{"key": "a", "operator": "Exists"}] * 17},
        "at most 16 items",
    ),
    ("a currency that is none is refused", {"spec.currency": "euro"}, "spec.currency"),
    ("a team that is no label is refused", {"spec.allocation.team": "a b"}, "spec.allocation.team"),
) + _cases(
    "ClusterAIBudget",
    ("an unknown scope is refused", {"spec.scope": "Global"}, "Unsupported value"),
    (
        "a namespace selector's In without values is refused",
        {"spec.namespaceSelector.matchExpressions": [_REQUIREMENT]},
        "In and NotIn need values",
    ),
    ("a cluster budget's negative limit is refused", {"spec.limits.cost": "-1"}, _DECIMAL),
    ("a cluster budget Once needs until", {"spec.period": "Once"}, "period Once needs until"),
)

_RATE = "a rate needs exactly one of perHour, perDeviceHour, discountPercent, multiplier"
PRICE_BOOKS = _cases(
    "PriceBook",
    ("a rate without a price is refused", {"spec.rates.0.perHour": DROP}, _RATE),
    ("a rate with two prices is refused", {"spec.rates.0.multiplier": "2"}, _RATE),
    ("a negative rate is refused", {"spec.rates.0.perHour": "-1"}, _DECIMAL),
    (
        "a rate that ends before it starts is refused",
        {"spec.rates.0.validUntil": "2025-12-31T00:00:00Z"},
        "validUntil must be later than validFrom",
    ),
    (
        "a discount above 100 % is refused",
        {"spec.rates.2.discountPercent": 101},
        "must be a percentage from 0 to 100, without a sign",
    ),
    (
        "a discount written with a sign is refused",
        {"spec.rates.2.discountPercent": "12%"},
        "discountPercent",
    ),
    ("two rates of one name are refused", {"spec.rates.1.name": "h100-negotiated"}, "Duplicate"),
    (
        "an unknown capacity type is refused",
        {"spec.rates.0.capacityTypes": ["lent"]},
        "Unsupported value",
    ),
    ("an exchange rate of zero is refused", {"spec.exchangeRates.0.rate": "0"}, "more than zero"),
    (
        "a commitment that ends before it starts is refused",
        {"spec.commitments.0.term.end": "2025-01-01T00:00:00Z"},
        "end must be later than start",
    ),
    ("a commitment to no node is refused", {"spec.commitments.0.count": 0}, "equal to 1"),
    (
        "depreciation over no months is refused",
        {"spec.ownedHardware.0.depreciationMonths": 0},
        "greater than or equal to 1",
    ),
    (
        "hardware that gains value is refused",
        {"spec.ownedHardware.0.residualValue": "310001"},
        "residualValue must not be more than purchasePrice",
    ),
    (
        "watts without a price are refused",
        {"spec.ownedHardware.0.pricePerKWh": DROP},
        "watts and pricePerKWh belong together",
    ),
    ("a pue below one is refused", {"spec.ownedHardware.0.pue": "0.9"}, "pue must be at least 1"),
    (
        "a utilization above one is refused",
        {"spec.ownedHardware.0.expectedUtilization": "1.2"},
        "must be between 0 and 1",
    ),
    (
        "a utilization of zero is refused",
        {"spec.ownedHardware.0.expectedUtilization": "0"},
        "must be more than zero",
    ),
    (
        "a whole node for CPU and memory is refused",
        {"spec.cpuMemoryShare": "1"},
        "cpuMemoryShare must be at least 0 and below 1",
    ),
    ("a negative weight is refused", {"spec.acceleratorWeights.0.weight": "-1"}, _DECIMAL),
    (
        "an accelerator in capitals is refused",
        {"spec.acceleratorWeights.0.accelerator": "H100"},
        "spec.acceleratorWeights[0].accelerator",
    ),
)

CLASSIFICATION_POLICIES = _cases(
    "ClassificationPolicy",
    (
        "a value mapped to no class is refused",
        {"spec.mappings.0.values.serving": "servicing"},
        "Unsupported value",
    ),
    ("a mapping without values is refused", {"spec.mappings.0.values": {}}, "spec.mappings[0]"),
    ("a rule of no class is refused", {"spec.rules.0.class": "unknown"}, "Unsupported value"),
    (
        "a rule with neither weight nor verdict is refused",
        {"spec.rules.0.weight": DROP},
        "set exactly one of weight and `verdict: true`",
    ),
    (
        "a rule with weight and verdict is refused",
        {"spec.rules.0.verdict": True},
        "set exactly one of weight and `verdict: true`",
    ),
    ("a verdict of false is refused", {"spec.rules.1.verdict": False}, "spec.rules[1].verdict"),
    (
        "an enormous weight is refused",
        {"spec.rules.0.weight": 21},
        "must be log-odds from -20 to 20",
    ),
    ("a weight that is no number is refused", {"spec.rules.0.weight": "much"}, "weight"),
    (
        "a sixty-fifth rule is refused",
        {
            "spec.rules": [
                {"name": f"r{n}", "expression": "true", "class": "other", "weight": 1}
                for n in range(65)
            ]
        },
        "must have at most 64 items",
    ),
)

MODELS = _cases(
    "AIModel",
    ("an odd direction is refused", {"spec.metric.direction": "Sideways"}, "Unsupported value"),
    ("a point of no size is refused", {"spec.metric.pointSize": "0"}, "must be more than zero"),
    ("an odd count of parameters is refused", {"spec.parameters": "lots"}, "spec.parameters"),
    ("an unknown preset is refused", {"spec.serving.preset": "bento"}, "Unsupported value"),
    (
        "preset custom without queries is refused",
        {"spec.serving.preset": "custom"},
        "preset custom needs queries",
    ),
    (
        "queries beside a preset are refused",
        {"spec.serving.queries": {"requests": "sum(rate(x[5m]))"}},
        "only custom takes them",
    ),
    ("an availability above one is refused", {"spec.serving.slo.availability": "1.1"}, "0 and 1"),
    (
        "an obligation both once and monthly is refused",
        {"spec.obligations.1.per": "Month"},
        "set exactly one of date and per",
    ),
    (
        "an OpEx that is amortized is refused",
        {"spec.obligations.1.amortizeMonths": 12},
        "only a CapEx with a date is amortized",
    ),
    ("a negative cost is refused", {"spec.obligations.0.cost": "-1"}, _DECIMAL),
    (
        "a workload selector's In without values is refused",
        {"spec.workloads.matchExpressions": [_REQUIREMENT]},
        "In and NotIn need values",
    ),
    ("an odd day is refused", {"spec.obligations.0.date": "2026-02-31"}, "type date"),
    (
        "shares that sum to less than one are refused",
        {"spec.consumers.0.share": "0.6"},
        "the consumers' shares must sum to 1",
    ),
    (
        "a consumer with neither share nor query is refused",
        {"spec.consumers.0.share": DROP},
        "set exactly one of share and query",
    ),
    (
        "shares beside queries are refused",
        {
            "spec.consumers.0": {"team": "analytics", "query": "x"},
            "spec.consumers.1": {"team": "support", "share": "1"},
        },
        "consumers are split by shares or by queries",
    ),
)

REFUSALS = (*BUDGETS, *PRICE_BOOKS, *CLASSIFICATION_POLICIES, *MODELS)
