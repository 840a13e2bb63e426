"""Label selectors of a verdict, evaluated in CEL with the API server's own meaning."""

from bursar.admission import cel
from bursar.api import meta


def matches(selector: str, labels: str, *, known: bool = True) -> str:
    """Whether labels satisfy a selector.

    Args:
        selector: CEL of the selector; absent fields select everything.
        labels: CEL of the labels.
        known: whether all labels are known. A template's pods get Bursar's own only at birth, so
            requirements on those are taken as met where they are not known.
    """
    ours = f"k.startsWith({cel.text(meta.PREFIX)}) || "
    expression_ours = f"e.key.startsWith({cel.text(meta.PREFIX)}) || "
    has = f"e.key in {labels}"
    among = f"({has} && {labels}[e.key] in e.?values.orValue([]))"
    requirement = (
        f"(e.operator == 'In' ? {among}"
        f" : e.operator == 'NotIn' ? !{among}"
        f" : e.operator == 'Exists' ? {has}"
        f" : !({has}))"
    )
    return cel.all_of(
        f"{selector}.?matchLabels.orValue({{}}).all(k, "
        f"{'' if known else ours}{labels}[?k] == optional.of({selector}.matchLabels[k]))",
        f"{selector}.?matchExpressions.orValue([]).all(e, "
        f"{'' if known else expression_ours}{requirement})",
    )


def selects(budget: str, labels: str, namespace_labels: str, *, known: bool = True) -> str:
    """Whether a verdict's entry concerns an object with these labels in such a namespace."""
    return cel.all_of(
        f"(!has({budget}.namespaceSelector) || "
        f"{matches(f'{budget}.namespaceSelector', namespace_labels)})",
        f"(!has({budget}.selector) || {matches(f'{budget}.selector', labels, known=known)})",
    )
