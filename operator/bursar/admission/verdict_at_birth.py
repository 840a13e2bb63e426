"""The table of classification rules as CEL: class, who decided, and confidence of a new pod.

    texts ─▶ a list of points a class (one a rule) ─▶ sums ─▶ best and second ─▶ labels

Each rule is a term of its own, because each adds its weight once. Ties go to the first class of
`KNOWN_CLASSES`, as in Python. Must never take a pod's own word for its class: that is the stamp's
affair, which knows who asked.
"""

from bursar.admission import cel, texts
from bursar.admission.manifests import Named
from bursar.classify.rule import CONFIDENCE_STEPS, MINIMUM
from bursar.classify.rules import RULES
from bursar.domain.classification import KNOWN_CLASSES, DecidedBy, WorkloadClass


def _points(workload_class: WorkloadClass) -> str:
    terms = [
        f"variables.{texts.variable(rule.where)}.matches({cel.text(rule.pattern)})"
        f" ? {cel.number(rule.weight)} : 0.0"
        for rule in RULES
        if rule.workload_class == workload_class
    ]
    # A class without rules still has a sum: CEL has no sum of an empty list of doubles.
    return "[\n" + ",\n".join(terms or ["0.0"]) + "\n]"


def _known(workload_class: WorkloadClass) -> str:
    places = [
        str(place)
        for place, rule in enumerate(
            rule for rule in RULES if rule.workload_class == workload_class
        )
        if rule.decided_by is DecidedBy.KNOWN
    ]
    points = f"variables.{workload_class.value}Points"
    return f"[{', '.join(places)}].exists(i, {points}[i] != 0.0)" if places else "false"


def _confidence() -> str:
    chain = ""
    for margin, confidence in CONFIDENCE_STEPS[:-1]:
        chain += f"variables.margin >= {cel.number(margin)} ? {cel.text(f'{confidence:g}')} : "
    return chain + cel.text(f"{CONFIDENCE_STEPS[-1][1]:g}")


def variables() -> list[Named]:
    """Variables that end in `foundClass`, `foundBy` and `foundConfidence`, strings all three."""
    names = [each.value for each in KNOWN_CLASSES]
    sums = ", ".join(f"variables.{name}Points.sum()" for name in names)
    known = " : ".join(
        f"variables.best == {place} ? {_known(each)}"
        for place, each in enumerate(KNOWN_CLASSES[:-1])
    )
    places = "[" + ", ".join(map(str, range(len(names)))) + "]"
    return [
        *texts.variables(frozenset(rule.where for rule in RULES)),
        *((f"{each.value}Points", _points(each)) for each in KNOWN_CLASSES),
        ("sums", f"[{sums}]"),
        ("best", "variables.sums.indexOf(variables.sums.max())"),
        ("found", f"variables.sums[variables.best] >= {cel.number(MINIMUM)}"),
        (
            "margin",
            (
                "variables.sums[variables.best]"
                f" - {places}.filter(i, i != variables.best).map(i, variables.sums[i]).max()"
            ),
        ),
        (
            "foundClass",
            (
                f"variables.found ? {cel.texts(names)}[variables.best]"
                f" : {cel.text(WorkloadClass.UNKNOWN)}"
            ),
        ),
        (
            "foundBy",
            (
                f"!variables.found ? {cel.text(DecidedBy.NONE)}"
                f" : ({known} : {_known(KNOWN_CLASSES[-1])}) ? {cel.text(DecidedBy.KNOWN)}"
                f" : {cel.text(DecidedBy.DISCOVERED)}"
            ),
        ),
        ("foundConfidence", f'variables.found ? ({_confidence()}) : "0"'),
    ]
