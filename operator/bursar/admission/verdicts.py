"""The policies that read the verdict: refuse pods of shut budgets, require a budget, give notice.

Decided by the API server alone, from the pod, the clock that it stamped the pod with, and the one
parameter object that the operator wrote. The parameter may lack any field, be empty or be missing:
none of that may refuse anything. Times are strings in CEL, and only `timestamp(a) < timestamp(b)`
compares them as times. A message never asks the authorizer: its text would be lost.
"""

from bursar.admission import cel, people, pods, selectors
from bursar.admission.manifests import (
    POD_CREATE,
    TEMPLATE_RULES,
    Manifest,
    Named,
    Policy,
    When,
    named,
    param_kind,
    param_ref,
    refusal,
    rule,
    validating,
    validating_binding,
)
from bursar.api import meta
from bursar.domain.classification import KNOWN_CLASSES, DecidedBy, WorkloadClass

NAMESPACE_KIND = "BudgetVerdict"
CLUSTER_KIND = "ClusterBudgetVerdict"

_BUDGETS = "params.?verdict.?budgets.orValue([])"
_NOT_REPEATED = (
    "(request.namespace in params.?verdict.?repeatedIn.orValue([]) ? [] : " + _BUDGETS + ")"
)
"""The cluster's entries, but not where the namespace's own verdict has them: told once."""
_CLASSES = cel.texts(KNOWN_CLASSES)
_UNKNOWN = cel.text(WorkloadClass.UNKNOWN)
_CLASS = f"string(variables.labels[?{cel.text(meta.LABEL_CLASS)}].orValue({_UNKNOWN}))"
_NAME = 'string(b.?budget.orValue("an AI budget"))'
_STAMPED = {"matchLabels": {meta.LABEL_ACCELERATED: "true"}}

_OPEN_AT_BIRTH = cel.all_of(
    "has(w.closesAt)",
    "variables.born >= timestamp(w.closesAt)",
    "(!has(w.reopensAt) || variables.born < timestamp(w.reopensAt))",
)
_ASLEEP = "(has(b.asleepUntil) && variables.born < timestamp(b.asleepUntil))"
_OF_CLASS = (
    'w.?class.orValue("*") in ["*", variables.known ? variables.cls'
    f" : string(b.?unknownAs.orValue({cel.text(WorkloadClass.TRAINING)}))]"
)
_WINDOWS = f"b.?windows.orValue([]).filter(w, {_OF_CLASS} && {_OPEN_AT_BIRTH})"
_MESSAGE = (
    f"{_WINDOWS}.map(w, string(w.?message.orValue({_NAME} + ' is shut'"
    " + (has(w.reopensAt) ? ' until ' + string(w.reopensAt) : ''))))[0]"
)


def _labels(*, stamped: bool) -> list[Named]:
    """What the pod and its namespace say; without a stamp nothing that the pod says is trusted."""
    tagged = f"variables.labels[?{cel.text(meta.LABEL_CLASS_BY)}] == optional.of({{}})".format(
        cel.text(DecidedBy.TAGGED)
    )
    return [
        ("labels", cel.labels_of("object")),
        ("ns", cel.labels_of("namespaceObject")),
        ("born", "timestamp(object.metadata.creationTimestamp)"),
        ("cls", _CLASS if stamped else _UNKNOWN),
        ("known", f"variables.cls in {_CLASSES}"),
        ("tagged", tagged if stamped else "false"),
    ]


def _target(*, stamped: bool) -> Manifest:
    """Which pods are looked at.

    The object selector keeps pods without accelerators out before the parameter is resolved: match
    conditions come after that, and with the parameter's kind gone every pod would be refused.
    """
    constraints: Manifest = {"resourceRules": list(POD_CREATE)}
    if stamped:
        return {"matchConstraints": {**constraints, "objectSelector": _STAMPED}}
    uses = pods.uses("object.spec", cel.annotations_of("object"))
    return {
        "matchConstraints": constraints,
        "matchConditions": named([("uses-accelerators", uses)]),
    }


def deny(kind: str = NAMESPACE_KIND, *, stamped: bool = True) -> Policy:
    """Refuse pods that are born inside a window of a budget that selects them."""
    cluster = kind == CLUSTER_KIND
    name = "bursar-cluster-budget" if cluster else "bursar-budget"
    budgets = _NOT_REPEATED if cluster else _BUDGETS
    exempt_class = "(variables.tagged && variables.cls in b.?exemptTagged.orValue([]))"
    exempt_priority = cel.all_of(
        "has(b.exemptPriority)",
        "object.spec.?priorityClassName.hasValue()",
        "object.spec.priorityClassName in b.exemptPriority",
        "variables.trusted",
    )
    variables = [
        *_labels(stamped=stamped),
        ("trusted", cel.any_of(people.IS_CONTROLLER, people.may_override())),
        (
            "mine",
            f"{budgets}.filter(b, {selectors.selects('b', 'variables.labels', 'variables.ns')})",
        ),
        (
            "closed",
            f"variables.mine.filter(b, !{_ASLEEP} && !{exempt_class} && size({_WINDOWS}) > 0)",
        ),
        ("shut", f"variables.closed.filter(b, !{exempt_priority})"),
    ]
    spec: Manifest = {
        "paramKind": param_kind(kind),
        **_target(stamped=stamped),
        "failurePolicy": "Fail",
        "variables": named(variables),
        "validations": [
            refusal(
                "size(variables.shut) == 0",
                "an AI budget that selects this pod is shut",
                f"variables.closed.map(b, {_MESSAGE}).join(' | ')",
            )
        ],
    }
    binding = validating_binding(
        "cluster-budget-is-shut" if cluster else "budget-is-shut",
        name,
        "Deny",
        paramRef=param_ref("Allow"),
    )
    when = When.ENFORCED_STAMPED if stamped else When.ENFORCED_UNSTAMPED
    return Policy(name=name, when=when, manifests=(validating(name, spec), binding))


def require(*, stamped: bool = True) -> Policy:
    """Refuse pods that no evaluated budget selects, in namespaces that ask for it.

    The binding's name is all that kubectl shows where the parameter is missing.
    """
    name = "bursar-require"
    mine = selectors.selects("b", "variables.labels", "variables.ns")
    spec: Manifest = {
        "paramKind": param_kind(NAMESPACE_KIND),
        **_target(stamped=stamped),
        "failurePolicy": "Fail",
        "variables": named(_labels(stamped=stamped)[:2]),
        "validations": [
            refusal(
                f"{_BUDGETS}.exists(b, {mine})",
                "this namespace starts accelerators only under a budget,"
                " and no AIBudget selects this pod",
            )
        ],
    }
    asks = {"matchLabels": {meta.LABEL_REQUIRE_BUDGET: "true"}}
    binding = validating_binding(
        "this-namespace-has-no-evaluated-aibudget",
        name,
        "Deny",
        paramRef=param_ref("Deny"),
        matchResources={"namespaceSelector": asks},
    )
    when = When.ENFORCED_STAMPED if stamped else When.ENFORCED_UNSTAMPED
    return Policy(name=name, when=when, manifests=(validating(name, spec), binding))


_TEMPLATE = (
    "request.kind.kind == 'Pod' ? dyn(object)"
    " : request.kind.kind == 'CronJob' ? dyn(object).spec.?jobTemplate.?spec.?template.orValue({})"
    " : dyn(object).spec.?template.orValue({})"
)


def notice(kind: str = NAMESPACE_KIND) -> Policy:
    """Tell people who create or change a workload that it will wait, or of a budget's warning.

    Its binding only warns; kubectl prints the binding's name, so that says it.
    """
    cluster = kind == CLUSTER_KIND
    name = "bursar-cluster-notice" if cluster else "bursar-notice"
    budgets = _NOT_REPEATED if cluster else _BUDGETS
    selected = selectors.selects("b", "variables.labels", "variables.ns", known=False)
    exempt = (
        "variables.pod.?priorityClassName.hasValue()"
        " && variables.pod.priorityClassName in b.?exemptPriority.orValue([])"
    )
    spec: Manifest = {
        "paramKind": param_kind(kind),
        "matchConstraints": {"resourceRules": [*TEMPLATE_RULES, rule("", ["pods"], "CREATE")]},
        "failurePolicy": "Ignore",
        "matchConditions": named(
            [
                people.PEOPLE,
                (
                    "new-or-changed",
                    "request.operation == 'CREATE' || dyn(object).spec != dyn(oldObject).spec",
                ),
            ]
        ),
        "variables": named(
            [
                ("template", _TEMPLATE),
                ("pod", "variables.template.?spec.orValue({})"),
                ("labels", "variables.template.?metadata.?labels.orValue({})"),
                ("ns", cel.labels_of("namespaceObject")),
                (
                    "uses",
                    pods.uses(
                        "variables.pod", "variables.template.?metadata.?annotations.orValue({})"
                    ),
                ),
                ("born", "timestamp(object.metadata.creationTimestamp)"),
                (
                    "mine",
                    f"variables.uses ? {budgets}.filter(b, {selected} && !{_ASLEEP}) : []",
                ),
                ("cls", _CLASS),
                ("known", f"variables.cls in {_CLASSES}"),
                (
                    "refused",
                    cel.all_of(
                        "request.kind.kind == 'Pod'",
                        f"variables.mine.exists(b, !({exempt}) && size({_WINDOWS}) > 0)",
                    ),
                ),
                ("waits", _waiting('w.?class.orValue("*") == "*"', exempt)),
                ("some", _waiting('w.?class.orValue("*") != "*"', exempt, of_class=True)),
                (
                    "notes",
                    "variables.mine.filter(b, has(b.notice)).map(b, string(b.notice))",
                ),
            ]
        ),
        "validations": [
            _tell("waits", "'created, but its pods will wait: '"),
            _tell("some", "'created, but its pods may wait: '"),
            {
                # A bare pod that is refused is told why by the refusal, and once.
                "expression": "size(variables.waits) + size(variables.some) > 0"
                " || variables.refused || size(variables.notes) == 0",
                "messageExpression": "variables.notes.join(' | ')",
                "message": "an AI budget has a warning",
            },
        ],
    }
    binding = validating_binding(
        f"notice-only-nothing-was-refused{'-cluster' if cluster else ''}",
        name,
        "Warn",
        paramRef=param_ref("Allow"),
    )
    return Policy(name=name, when=When.ENFORCED, manifests=(validating(name, spec), binding))


def _waiting(of: str, exempt: str, *, of_class: bool = False) -> str:
    """Messages of the budgets with a window in force now; a bare pod is refused instead."""
    windows = f"b.?windows.orValue([]).filter(w, {of} && {_OPEN_AT_BIRTH})"
    message = f"string({windows}[0].?message.orValue({_NAME} + ' is shut'))"
    if of_class:
        message = f"'class ' + string({windows}[0].class) + ': ' + {message}"
    return (
        "request.operation == 'CREATE' && request.kind.kind != 'Pod' ? "
        f"variables.mine.filter(b, !({exempt}) && size({windows}) > 0).map(b, {message}) : []"
    )


def _tell(variable: str, prefix: str) -> Manifest:
    return {
        "expression": f"size(variables.{variable}) == 0",
        "messageExpression": f"{prefix} + variables.{variable}.join(' | ')",
        "message": "an AI budget is shut",
    }
