"""The table of classification rules as CEL: class, activity, who decided, and confidence.

    texts ─▶ a list of points a class (one a rule) ─▶ sums ─▶ best and second ─▶ labels

Each rule is a term of its own, because each adds its weight once. Points are whole numbers
(thousandths of a weight), so that no order of adding changes a sum. Ties go to the first class of
`KNOWN_CLASSES`, as in Python. Must never take a pod's own word for its class: that is the stamp's
affair, which knows who asked.
"""

from bursar.admission import cel, texts
from bursar.admission.manifests import Named
from bursar.classify.rule import CONFIDENCE_STEPS, MINIMUM, Rule
from bursar.classify.rules import RULES
from bursar.domain.classification import KNOWN_CLASSES, DecidedBy, WorkloadClass

CLASSES = cel.texts(KNOWN_CLASSES)


def _thousandths(weight: float) -> int:
    return round(weight * 1000)


def _rules(workload_class: WorkloadClass) -> list[Rule]:
    return [rule for rule in RULES if rule.workload_class == workload_class]


def _points(workload_class: WorkloadClass) -> str:
    terms = [
        f"variables.{texts.variable(rule.where)}.matches({cel.text(rule.pattern)})"
        f" ? {_thousandths(rule.weight)} : 0"
        for rule in _rules(workload_class)
    ]
    return "[\n" + ",\n".join(terms or ["0"]) + "\n]"


def _matched(workload_class: WorkloadClass, places: list[int]) -> str:
    """Those of these rules that speak for their class, in the order given."""
    points = f"variables.{workload_class.value}Points"
    return f"[{', '.join(map(str, places))}].filter(i, {points}[i] > 0)"


def _known(workload_class: WorkloadClass) -> str:
    rules = _rules(workload_class)
    places = [i for i, rule in enumerate(rules) if rule.decided_by is DecidedBy.KNOWN]
    return f"size({_matched(workload_class, places)}) > 0" if places else "false"


def _activity(workload_class: WorkloadClass) -> str:
    """The activity of the strongest rule that has one, the first by name among equals."""
    rules = _rules(workload_class)
    ranked = sorted(range(len(rules)), key=lambda i: (-rules[i].weight, rules[i].name))
    places = [i for i in ranked if rules[i].activity]
    if not places:
        return cel.text("")
    names = cel.texts([rule.activity for rule in rules])
    found = f"{_matched(workload_class, places)}.map(i, {names}[i])"
    return f"({found} + [{cel.text('')}])[0]"


def _by_class(place: str, values: list[str]) -> str:
    """One of four values, by the place of a class in `KNOWN_CLASSES`."""
    chain = "".join(f"{place} == {i} ? {value}\n: " for i, value in enumerate(values[:-1]))
    return f"({chain}{values[-1]})"


def activity(workload_class: str) -> str:
    """The activity of a class (CEL of a string), empty where none is told or none is known."""
    place = f"{CLASSES}.indexOf({workload_class})"
    found = _by_class(place, [_activity(each) for each in KNOWN_CLASSES])
    return f"{workload_class} in {CLASSES} ? {found} : {cel.text('')}"


def _confidence() -> str:
    chain = "".join(
        f"variables.margin >= {_thousandths(margin)} ? {cel.text(f'{value:g}')} : "
        for margin, value in CONFIDENCE_STEPS[:-1]
    )
    return chain + cel.text(f"{CONFIDENCE_STEPS[-1][1]:g}")


def variables() -> list[Named]:
    """Variables that end in `foundClass`, `foundBy` and `foundConfidence`, strings all three."""
    sums = ", ".join(f"variables.{each.value}Points.sum()" for each in KNOWN_CLASSES)
    places = "[" + ", ".join(map(str, range(len(KNOWN_CLASSES)))) + "]"
    others = f"{places}.filter(i, i != variables.best).map(i, variables.sums[i])"
    known = _by_class("variables.best", [_known(each) for each in KNOWN_CLASSES])
    unknown, none = cel.text(WorkloadClass.UNKNOWN), cel.text(DecidedBy.NONE)
    by = f"{known} ? {cel.text(DecidedBy.KNOWN)} : {cel.text(DecidedBy.DISCOVERED)}"
    return [
        *texts.variables(frozenset(rule.where for rule in RULES)),
        *((f"{each.value}Points", _points(each)) for each in KNOWN_CLASSES),
        ("sums", f"[{sums}]"),
        ("best", "variables.sums.indexOf(variables.sums.max())"),
        ("found", f"variables.sums[variables.best] >= {_thousandths(MINIMUM)}"),
        ("margin", f"variables.sums[variables.best] - {others}.max()"),
        ("foundClass", f"variables.found ? {CLASSES}[variables.best] : {unknown}"),
        ("foundBy", f"!variables.found ? {none} : {by}"),
        ("foundConfidence", f'variables.found ? ({_confidence()}) : "0"'),
    ]
