"""The policies that keep Bursar's keys on pods, owners and namespaces in the right hands.

Owners are restored rather than refused, because `kubectl replace` of a manifest that lacks our
labels must work. The built-in controllers are never refused.
"""

from bursar.admission import cel, people
from bursar.admission.manifests import (
    TEMPLATE_RULES,
    Manifest,
    Policy,
    When,
    mutating,
    named,
    refusal,
    rule,
    validating,
    validating_binding,
)
from bursar.api import meta

_PREFIX = cel.text(meta.PREFIX)
_OVERRIDE = cel.text(meta.LABEL_CLASS_OVERRIDE)
_NEEDS = f"needs the verb {meta.OVERRIDE_VERB} on aibudgets in this namespace"


def _ours(key: str, free: str) -> str:
    return f"({key}.startsWith({_PREFIX}) && !({key} in {free}))"


FREE_LABELS = cel.texts((meta.LABEL_CLASS_OVERRIDE,))
"""Labels under our prefix that people may write; guarded by a check of their own."""
FREE_ANNOTATIONS = cel.texts(meta.PEOPLE_ANNOTATIONS)


def unchanged(what: str, free: str) -> str:
    """Whether no label or annotation was added, changed or removed.

    Args:
        what: `labels` or `annotations`.
        free: CEL of whether the key `k` may be.
    """
    new = f"object.metadata.?{what}.orValue({{}})"
    old = f"oldObject.metadata.?{what}.orValue({{}})"
    return cel.all_of(
        f"{new}.all(k, {free}"
        f" || oldObject.metadata.?{what}[?k] == optional.of(object.metadata.{what}[k]))",
        f"{old}.all(k, {free} || k in {new})",
    )


def _ours_unchanged(what: str, free: str) -> str:
    return unchanged(what, f"!{_ours('k', free)}")


def always(name: str, spec: Manifest) -> Policy:
    """A guard that is there in every installation."""
    binding = validating_binding(name, name, "Deny")
    return Policy(name=name, when=When.ALWAYS, manifests=(validating(name, spec), binding))


def guard_pods() -> Policy:
    """Keep our labels, annotations and gate on pods as they are, on every path of update."""
    gated = "{}.spec.?schedulingGates.orValue([]).exists(g, g.name == " + cel.text(meta.GATE) + ")"
    spec: Manifest = {
        "matchConstraints": {
            "resourceRules": [
                rule(
                    "",
                    ["pods", "pods/status", "pods/ephemeralcontainers", "pods/resize"],
                    "UPDATE",
                )
            ]
        },
        "failurePolicy": "Fail",
        "matchConditions": named([people.NOT_OPERATOR]),
        "validations": [
            refusal(
                _ours_unchanged("labels", FREE_LABELS),
                f"labels {meta.PREFIX}* of a pod are written by Bursar only",
            ),
            refusal(
                _ours_unchanged("annotations", FREE_ANNOTATIONS),
                f"annotations {meta.PREFIX}* of a pod are written by Bursar only",
            ),
            refusal(
                cel.any_of(
                    f"object.metadata.?labels[?{_OVERRIDE}]"
                    f" == oldObject.metadata.?labels[?{_OVERRIDE}]",
                    people.may_override(),
                ),
                f"changing {meta.LABEL_CLASS_OVERRIDE} {_NEEDS}",
            ),
            refusal(
                cel.any_of(f"!{gated.format('oldObject')}", gated.format("object")),
                f"the scheduling gate {meta.GATE} is lifted by Bursar only,"
                " when the budget has room",
            ),
        ],
    }
    return always("bursar-guard-pods", spec)


def template(thing: str) -> str:
    """The pod template of an object of one of `TEMPLATE_RULES`."""
    return (
        f"(request.kind.kind == 'CronJob'"
        f" ? dyn({thing}).spec.?jobTemplate.?spec.?template.orValue({{}})"
        f" : dyn({thing}).spec.?template.orValue({{}}))"
    )


def guard_templates() -> Policy:
    """A class that people set in a template, or on a workload, counts as tagged: guard it."""
    new = f"{template('object')}.?metadata.?labels[?{_OVERRIDE}]"
    old = f"{template('oldObject')}.?metadata.?labels[?{_OVERRIDE}]"
    new_own = f"dyn(object).metadata.?labels[?{_OVERRIDE}]"
    old_own = f"dyn(oldObject).metadata.?labels[?{_OVERRIDE}]"
    spec: Manifest = {
        "matchConstraints": {"resourceRules": list(TEMPLATE_RULES)},
        "failurePolicy": "Fail",
        "matchConditions": named([people.NOT_TRUSTED]),
        "validations": [
            refusal(
                cel.any_of(
                    f"!{value}.hasValue()",
                    f"(request.operation == 'UPDATE' && {value} == {before})",
                    people.may_override(),
                ),
                f"{meta.LABEL_CLASS_OVERRIDE} {where} {_NEEDS}",
            )
            for value, before, where in (
                (new, old, "in a pod template"),
                (new_own, old_own, "on a workload"),
            )
        ],
    }
    return always("bursar-guard-templates", spec)


def restore_owners() -> Policy:
    """Put our labels and annotations on owners back as they were, and drop forged ones."""
    name = "bursar-restore-owners"
    touched = " || ".join(
        f"{thing}.metadata.?{what}.orValue({{}}).exists(k, k.startsWith({_PREFIX}))"
        for thing in ("object",)
        for what in ("labels", "annotations")
    )
    before = touched.replace("object.", "oldObject.")
    old = "request.operation == 'UPDATE' ? oldObject.metadata.?{}.orValue({{}}) : {{}}"
    spec: Manifest = {
        "matchConstraints": {"resourceRules": list(TEMPLATE_RULES)},
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
        "matchConditions": named(
            [
                people.NOT_OPERATOR,
                ("ours", f"{touched} || (request.operation == 'UPDATE' && ({before}))"),
            ]
        ),
        "variables": named(
            [
                ("oldlabels", old.format("labels")),
                ("oldannotations", old.format("annotations")),
                ("newlabels", cel.labels_of("object")),
                ("newannotations", cel.annotations_of("object")),
            ]
        ),
        "mutations": [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {
                    "expression": _restore("labels", FREE_LABELS)
                    + "\n+ "
                    + _restore("annotations", FREE_ANNOTATIONS)
                },
            }
        ],
    }
    return Policy(name=name, when=When.MUTATING, manifests=mutating(name, spec))


def _restore(what: str, free: str) -> str:
    old, new, path = f"variables.old{what}", f"variables.new{what}", f"/metadata/{what}"
    ours = _ours("k", free)
    at = f"'{path}/' + jsonpatch.escapeKey(k)"
    return (
        f"{new}.filter(k, {ours} && !(k in {old}))"
        f".map(k, JSONPatch{{op: 'remove', path: {at}}})\n+ "
        + empty_map(what, f"{old}.exists(k, {ours})")
        + f"\n+ {old}.filter(k, {ours} && {new}[?k] != optional.of({old}[k]))"
        f".map(k, JSONPatch{{op: 'add', path: {at}, value: string({old}[k])}})"
    )


def empty_map(what: str, needed: str) -> str:
    """Patches that make `metadata.labels` or `.annotations` where it is missing and needed.

    CEL finds no type for an empty map as a patch's value, so a key is put in and taken out again.
    """
    path, key = f"/metadata/{what}", f"{meta.PREFIX}x"
    escaped = key.replace("/", "~1")
    return (
        f"(has(object.metadata.{what}) || !({needed}) ? [] : ["
        f"JSONPatch{{op: 'add', path: '{path}', value: {{{cel.text(key)}: 'x'}}}}, "
        f"JSONPatch{{op: 'remove', path: '{path}/{escaped}'}}])"
    )


def guard_namespaces() -> Policy:
    """Labels of ours on a namespace set defaults and demands for all that runs in it."""
    created = f"!{cel.labels_of('object')}.exists(k, k.startsWith({_PREFIX}))"
    same = _ours_unchanged("labels", "[]")
    spec: Manifest = {
        "matchConstraints": {
            "resourceRules": [
                rule("", ["namespaces"], "CREATE", "UPDATE"),
                rule("", ["namespaces/status", "namespaces/finalize"], "UPDATE"),
            ]
        },
        "failurePolicy": "Fail",
        "matchConditions": named([people.NOT_OPERATOR]),
        "validations": [
            refusal(
                cel.any_of(
                    f"(request.operation == 'CREATE' ? {created} : {same})",
                    people.may_override("object.metadata.name"),
                ),
                f"labels {meta.PREFIX}* on a namespace need the verb {meta.OVERRIDE_VERB}"
                " on aibudgets in it",
            )
        ],
    }
    return always("bursar-guard-namespaces", spec)
