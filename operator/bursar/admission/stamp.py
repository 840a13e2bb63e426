"""The policies at a pod's birth: stamp it, refuse what could not be stamped, and debug containers.

The stamp drops every key of ours that a tenant forged and sets its own in *one* patch, so that no
failure can leave half of it. It has no match condition about accelerators: another admission plugin
may add them afterwards, and a policy that did not match at first is never asked again. It fails
open, so a second policy, which fails closed and has the same caps, refuses whatever uses
accelerators and is not stamped.
"""

from bursar.admission import allocation, cel, people, pods, verdict_at_birth
from bursar.admission.guards import empty_map
from bursar.admission.manifests import (
    POD_CREATE,
    Manifest,
    Named,
    Policy,
    When,
    mutating,
    named,
    refusal,
    rule,
    validating,
    validating_binding,
)
from bursar.admission.placeholders import REFUSAL
from bursar.api import meta
from bursar.domain.classification import KNOWN_CLASSES, DecidedBy
from bursar.recognize import resources

_OVERRIDE = cel.text(meta.LABEL_CLASS_OVERRIDE)
_CLASSES = cel.texts(KNOWN_CLASSES)
_ACCELERATED = f"object.metadata.?labels[?{cel.text(meta.LABEL_ACCELERATED)}]"
_WHOLE_DEVICES = r"^(nvidia|amd)\.com/gpu [0-9]{1,6}$"
"""Resources whose count is told at birth, with a count that is a plain number."""
_USES = pods.uses("object.spec", cel.annotations_of("object"))


def _who_decides() -> list[Named]:
    """A class that people set decides, where it was guarded; else what was found."""
    return [
        (
            "trusted",
            cel.all_of(
                f"{_OVERRIDE} in variables.labels",
                cel.any_of(people.IS_CONTROLLER, people.may_override()),
            ),
        ),
        (
            "wishes",
            (
                "["
                f"variables.trusted ? string(variables.labels[{_OVERRIDE}]) : '', "
                f"string(variables.ns[?{_OVERRIDE}].orValue(''))].filter(v, v in {_CLASSES})"
            ),
        ),
        ("tagged", "size(variables.wishes) > 0"),
        ("cls", "variables.tagged ? variables.wishes[0] : variables.foundClass"),
        ("by", f"variables.tagged ? {cel.text(DecidedBy.TAGGED)} : variables.foundBy"),
        ("confidence", "variables.tagged ? '1' : variables.foundConfidence"),
        ("activity", verdict_at_birth.activity("variables.cls")),
    ]


def _count() -> list[Named]:
    """How many devices, where whole numbers of one resource say it; else the operator tells.

    Init containers share devices with what runs after them, other ways of asking have no count in
    the pod, and parts of devices need tables: none of these is told here.
    """
    limits = "c.?resources.?limits.orValue({})"
    accelerator = pods.ACCELERATED_RESOURCE
    whole = f"{limits}.filter(k, {accelerator}).map(k, k + ' ' + string({limits}[k]))"
    return [
        ("asked", f"object.spec.?containers.orValue([]).map(c, {whole})"),
        (
            "simple",
            cel.all_of(
                "variables.asked.all(l, size(l) <= 1)",
                "variables.asked.exists(l, size(l) == 1)",
                f"variables.asked.all(l, l.all(t, t.matches({cel.text(_WHOLE_DEVICES)})))",
                "!object.spec.?initContainers.orValue([]).exists(c, "
                f"{limits}.exists(k, {accelerator}))",
            ),
        ),
        (
            "count",
            (
                "variables.simple ? variables.asked.map(l, size(l) == 0 ? 0"
                " : int(l[0].split(' ')[1])).sum() : 0"
            ),
        ),
    ]


def _labels_patch() -> str:
    values: list[tuple[str, str]] = [
        (meta.LABEL_ACCELERATED, "'true'"),
        (meta.LABEL_CLASS, "variables.cls"),
        (meta.LABEL_CLASS_BY, "variables.by"),
        (meta.LABEL_CONFIDENCE, "variables.confidence"),
        *((label, allocation.value(label)) for label in allocation.LABELS),
    ]
    added = ",\n".join(_add(label, value) for label, value in values)
    count = _add(meta.LABEL_ACCELERATOR_COUNT, "string(variables.count)")
    activity = _add(meta.LABEL_ACTIVITY, "variables.activity")
    return (
        f"(!variables.uses ? [] : [\n{added}\n])"
        f"\n+ (variables.uses && variables.activity != '' ? [{activity}] : [])"
        f"\n+ (variables.uses && variables.simple && variables.count > 0 ? [{count}] : [])"
    )


def _add(label: str, value: str) -> str:
    path = "/metadata/labels/" + label.replace("~", "~0").replace("/", "~1")
    return f"JSONPatch{{op: 'add', path: {cel.text(path)}, value: {value}}}"


def stamp() -> Policy:
    """Drop forged keys from new pods, and label those that use accelerators."""
    name = "bursar-stamp"
    forged = f"k.startsWith({cel.text(meta.PREFIX)}) && !(k == {_OVERRIDE} && variables.trusted)"
    ours = f"k.startsWith({cel.text(meta.PREFIX)}) && !(k in {cel.texts(meta.PEOPLE_ANNOTATIONS)})"
    remove = ".map(k, JSONPatch{{op: 'remove', path: '/metadata/{}/' + jsonpatch.escapeKey(k)}})"
    patch = "\n+ ".join(
        [
            empty_map("labels", "variables.uses"),
            "variables.dropLabels" + remove.format("labels"),
            "variables.dropAnnotations" + remove.format("annotations"),
            _labels_patch(),
        ]
    )
    spec: Manifest = {
        "matchConstraints": {"resourceRules": list(POD_CREATE)},
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "matchConditions": named([("small", pods.SMALL)]),
        "variables": named(
            [
                ("labels", cel.labels_of("object")),
                ("ns", cel.labels_of("namespaceObject")),
                ("uses", _USES),
                *verdict_at_birth.variables(),
                *_who_decides(),
                *_count(),
                ("dropLabels", f"variables.labels.filter(k, {forged})"),
                (
                    "dropAnnotations",
                    f"{cel.annotations_of('object')}.filter(k, {ours})",
                ),
            ]
        ),
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    return Policy(name=name, when=When.MUTATING, manifests=mutating(name, spec))


def unstamped() -> Policy:
    """Refuse pods that use accelerators and are not stamped, or are larger than the stamp's caps.

    A pod that uses none and says it does kept its forged labels: it was not stamped either.
    Without parameter, so that it works whatever becomes of our resources. `kube-system` is let
    through: the cluster must come up again by itself.
    """
    name = "bursar-unstamped"
    spec: Manifest = {
        "matchConstraints": {"resourceRules": list(POD_CREATE)},
        "failurePolicy": "Fail",
        "variables": named([("small", pods.SMALL), ("uses", _USES)]),
        "validations": [
            refusal(
                "variables.uses"
                f" ? variables.small && {_ACCELERATED} == optional.of('true')"
                f" : !{_ACCELERATED}.hasValue()",
                "this pod asks for an accelerator but could not be labelled by Bursar (it is too"
                " large for a check at birth, or the policy bursar-stamp is missing), so no budget"
                " can judge it: use fewer or shorter containers, limits, variables, arguments or"
                " labels",
            )
        ],
    }
    others = {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system"],
            }
        ]
    }
    binding = validating_binding(name, name, REFUSAL, matchResources={"namespaceSelector": others})
    return Policy(name=name, when=When.STAMPED, manifests=(validating(name, spec), binding))


def ephemeral() -> Policy:
    """Refuse debug containers that see devices of a pod which no budget counts."""
    name = "bursar-ephemeral"
    sees = "object.spec.?ephemeralContainers.orValue([]).exists(c, " + pods.sees_devices("c") + ")"
    spec: Manifest = {
        "matchConstraints": {"resourceRules": [rule("", ["pods/ephemeralcontainers"], "UPDATE")]},
        "failurePolicy": "Fail",
        "validations": [
            refusal(
                cel.any_of(f"{_ACCELERATED} == optional.of('true')", f"!{sees}"),
                f"a debug container with {resources.VISIBLE_DEVICES_ENV} would use accelerators"
                " that no budget sees",
            )
        ],
    }
    binding = validating_binding(name, name, REFUSAL)
    return Policy(name=name, when=When.STAMPED, manifests=(validating(name, spec), binding))
