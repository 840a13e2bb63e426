"""The policies that keep what budgets rest on in the right hands: exemptions, grants, periods.

Whoever edits a budget sets its limits; what decides afterwards what counted as spent, or lets a
shut budget go away, takes the verb `override` as well. Whoever cleans up a namespace is never
refused: a guard that is stricter leaves the namespace hanging.
"""

from bursar.admission import cel, people
from bursar.admission.guards import always, template
from bursar.admission.manifests import (
    TEMPLATE_RULES,
    Manifest,
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
from bursar.admission.verdicts import CLUSTER_KIND, NAMESPACE_KIND
from bursar.api import meta

_NEEDS = f"needs the verb {meta.OVERRIDE_VERB} on aibudgets in this namespace"


def guard_exempt(kind: str = NAMESPACE_KIND) -> Policy:
    """A priority class that a budget exempts is used in templates only by whom RBAC lets.

    Fails open: closed, it would refuse every workload of the cluster while the parameter's kind is
    missing.
    """
    name = f"bursar-guard-exempt{'-cluster' if kind == CLUSTER_KIND else ''}"
    new = f"{template('object')}.?spec.?priorityClassName"
    old = f"{template('oldObject')}.?spec.?priorityClassName"
    spec: Manifest = {
        "paramKind": param_kind(kind),
        "matchConstraints": {"resourceRules": list(TEMPLATE_RULES)},
        "failurePolicy": "Ignore",
        "matchConditions": named([people.NOT_TRUSTED]),
        "validations": [
            refusal(
                cel.any_of(
                    "!params.?verdict.?budgets.orValue([]).exists(b,"
                    f" b.?exemptPriority.orValue([]).exists(p, optional.of(p) == {new}))",
                    f"(request.operation == 'UPDATE' && {new} == {old})",
                    people.may_override(),
                ),
                f"a priority class that is exempt from a budget {_NEEDS}",
                f"'priority class ' + string({new}.orValue('')) + ' is exempt from a budget here:"
                f" using it in a pod template {_NEEDS}'",
            )
        ],
    }
    binding = validating_binding(name, name, "Deny", paramRef=param_ref("Allow"))
    return Policy(name=name, when=When.ENFORCED, manifests=(validating(name, spec), binding))


def guard_budgets() -> Policy:
    """Grants carry the name of whoever gives them; a shut budget is not deleted or re-dated."""
    name = "bursar-guard-budgets"
    may = (
        f"authorizer.group({cel.text(meta.GROUP)}).resource(request.resource.resource)"
        ".namespace(request.?namespace.orValue('')).name(request.?name.orValue(''))"
        f".check({cel.text(meta.OVERRIDE_VERB)}).allowed()"
    )
    grants = "{} == null ? [] : {}.?spec.?grants.orValue([])"
    same = " && ".join(
        f"object.?spec.?{field} == oldObject.?spec.?{field}" for field in ("period", "timeZone")
    )
    spec: Manifest = {
        "matchConstraints": {
            "resourceRules": [
                rule(
                    meta.GROUP,
                    ["aibudgets", "clusteraibudgets"],
                    "CREATE",
                    "UPDATE",
                    "DELETE",
                    version="*",
                )
            ]
        },
        "failurePolicy": "Fail",
        "matchConditions": named([people.NOT_OPERATOR, people.NOT_CLEANER]),
        "variables": named(
            [
                ("old", grants.format("oldObject", "oldObject")),
                ("new", grants.format("object", "object")),
                (
                    "shut",
                    (
                        "oldObject == null ? false"
                        " : size(oldObject.?status.?admission.orValue([])) > 0"
                    ),
                ),
            ]
        ),
        "validations": [
            refusal(
                "variables.new.all(g, variables.old.exists(o, o == g)"
                " || (has(g.grantedBy) && g.grantedBy == request.userInfo.username))",
                "a new or changed grant must carry the requesting user in grantedBy",
                "'a new or changed grant must carry grantedBy: ' + request.userInfo.username",
            ),
            refusal(
                "variables.new.all(g, variables.new.exists_one(o, o == g))",
                "the same grant twice: give each grant a name of its own",
            ),
            refusal(
                cel.any_of("oldObject == null", "object == null", f"({same})", may),
                "period and timeZone decide what counts as spent;"
                f" changing them needs the verb {meta.OVERRIDE_VERB} on this budget",
            ),
            refusal(
                cel.any_of("object != null", "!variables.shut", may),
                "a budget with a closing time set is not deleted",
                "'budget ' + string(oldObject.metadata.name) + ' has a closing time set: deleting"
                f" it would reopen what it holds; this needs the verb {meta.OVERRIDE_VERB} on it'",
            ),
        ],
    }
    return always(name, spec)
