"""The policies around the operator itself: what it may change, and what nobody else may write.

RBAC knows verbs on whole objects: who may `patch` a pod may change its image, and run what he likes
under that pod's account; and suspending a Job ends its pods. So the operator's own requests are
held to what it is for, and a stolen token is worth no more than that. The other way round, whoever
was given everything in a namespace (`*` on `*`) has still no business in the verdicts that the API
server goes by.
"""

from bursar.admission import cel, people, pods
from bursar.admission.guards import always, unchanged
from bursar.admission.manifests import Manifest, Policy, named, refusal, rule
from bursar.admission.permissions import OWN_KINDS, VERDICT_KINDS
from bursar.api import meta

_OURS = f"k.startsWith({cel.text(meta.PREFIX)})"
_JOB = "request.kind.kind == 'Job'"
_FREE = f"k == ({_JOB} ? 'suspend' : 'schedulingGates')"
_TEMPLATE_NOTES = "variables.template.?metadata.?annotations.orValue({})"
_OLD, _NEW = "dyn(oldObject).spec", "dyn(object).spec"


def _held(thing: str) -> str:
    return f"{cel.text(meta.ANNOTATION_HELD)} in {cel.annotations_of(thing)}"


def guard_operator() -> Policy:
    """Of pods and Jobs, the operator writes Bursar's keys, its gate, and a Job's suspend.

    It suspends what uses accelerators, and says so on it; it resumes what it has suspended itself.
    """
    others = "{}.?schedulingGates.orValue([]).filter(g, g.name != " + cel.text(meta.GATE) + ")"
    same_spec = cel.any_of(
        f"{_NEW} == {_OLD}",
        cel.all_of(
            f"{_NEW}.all(k, {_FREE} || {_OLD}[?k] == optional.of({_NEW}[k]))",
            f"{_OLD}.all(k, {_FREE} || k in {_NEW})",
            f"{others.format(_NEW)} == {others.format(_OLD)}",
        ),
    )
    suspended = "{}.?suspend.orValue(false)"
    held_or_released = cel.any_of(
        f"!({_JOB})",
        f"{suspended.format(_NEW)} == {suspended.format(_OLD)}",
        cel.all_of(suspended.format(_NEW), _held("object"), "variables.uses"),
        cel.all_of(suspended.format(_OLD), _held("oldObject")),
    )
    uses = pods.uses("variables.template.?spec.orValue({})", _TEMPLATE_NOTES)
    links = " && ".join(
        f"object.metadata.?{field} == oldObject.metadata.?{field}"
        for field in ("ownerReferences", "finalizers")
    )
    only = "Bursar's operator writes only labels and annotations of its own"
    spec: Manifest = {
        "matchConstraints": {
            "resourceRules": [
                rule("", ["pods", "pods/*"], "UPDATE"),
                rule("batch", ["jobs", "jobs/*"], "UPDATE"),
            ]
        },
        "failurePolicy": "Fail",
        "matchConditions": named([people.IS_OPERATOR]),
        "variables": named([("template", f"{_NEW}.?template.orValue({{}})"), ("uses", uses)]),
        "validations": [
            refusal(
                held_or_released,
                "Bursar's operator suspends Jobs that use accelerators, and resumes those that it"
                " has suspended",
            ),
            refusal(same_spec, f"{only}, and of a spec only its gate or suspend"),
            refusal(unchanged("labels", _OURS), f"{only}: other labels are not its own"),
            refusal(unchanged("annotations", _OURS), f"{only}: other annotations are not its own"),
            refusal(links, f"{only}: neither owners nor finalizers"),
        ],
    }
    return always("bursar-guard-operator", spec)


def guard_verdicts() -> Policy:
    """Verdicts and statuses are the operator's, or of whoever has the verb in the whole cluster.

    Asked of the cluster-scoped kind, which no right that holds in one namespace can give.
    """
    statuses = [f"{kind}/status" for kind in OWN_KINDS]
    may = (
        f"authorizer.group({cel.text(meta.GROUP)}).resource({cel.text(VERDICT_KINDS[1])})"
        f".check({cel.text(meta.OVERRIDE_VERB)}).allowed()"
    )
    spec: Manifest = {
        "matchConstraints": {
            "resourceRules": [
                rule(meta.GROUP, VERDICT_KINDS, "CREATE", "UPDATE", "DELETE", version="*"),
                rule(meta.GROUP, statuses, "UPDATE", version="*"),
            ]
        },
        "failurePolicy": "Fail",
        "matchConditions": named([people.NOT_OPERATOR, people.NOT_CLEANER]),
        "validations": [
            refusal(
                may,
                "verdicts and statuses are written by Bursar's operator; anybody else needs the"
                f" verb {meta.OVERRIDE_VERB} on {VERDICT_KINDS[1]} in the whole cluster",
            )
        ],
    }
    return always("bursar-guard-verdicts", spec)
