"""The texts of a pod that classification rules look at, in CEL.

Must give exactly what `classify` gives in Python from the same pod; a test creates pods and
compares. Init containers are not looked at: they prepare.
"""

from bursar.admission import cel
from bursar.api import meta
from bursar.classify.rule import TEXT_LIMIT, Where

_CONTAINERS = "object.spec.?containers.orValue([])"
_OWNERS = "object.metadata.?ownerReferences.orValue([])"

_LABELS = (
    f"object.metadata.?labels.orValue({{}}).filter(k, !k.startsWith({cel.text(meta.PREFIX)}))"
    '.map(k, k + "=" + string(object.metadata.labels[k]))'
)
_GROUP = '(string(o.apiVersion).contains("/") ? "." + string(o.apiVersion).split("/")[0] : "")'
_CONTAINER_SHAPE = (
    'c.?ports.orValue([]).map(p, "port:" + string(p.containerPort))'
    ' + (c.?readinessProbe.hasValue() ? ["probe:ready"] : [])'
)

_PIECES = {
    Where.IMAGE: f'{_CONTAINERS}.map(c, string(c.?image.orValue("")))',
    Where.COMMAND: (
        f"{_CONTAINERS}.map(c, c.?command.orValue([]) + c.?args.orValue([]))"
        '.filter(w, size(w) > 0).map(w, w.join(" "))'
    ),
    Where.ENV: (
        f"{_CONTAINERS}.filter(c, size(c.?env.orValue([])) > 0).map(c, c.env"
        '.map(e, string(e.name) + "=" + string(e.?value.orValue(""))).join(" "))'
    ),
    Where.OWNER: f"{_OWNERS}.map(o, string(o.kind) + {_GROUP})",
    Where.LABEL: _LABELS,
    Where.SHAPE: (
        f'{_CONTAINERS}.map(c, ({_CONTAINER_SHAPE}).join(" ")).filter(t, t != "")'
        ' + ["restart:" + string(object.spec.?restartPolicy.orValue("Always"))]'
    ),
    Where.NAME: (
        '[string(object.metadata.?name.orValue(object.metadata.?generateName.orValue("")))]'
        f" + {_CONTAINERS}.map(c, string(c.name)) + {_OWNERS}.map(o, string(o.name))"
    ),
}


def variable(where: Where) -> str:
    """Name of the variable that holds the text."""
    return f"{where.value}Text"


def variables(used: frozenset[Where]) -> list[tuple[str, str]]:
    """Variables for the texts that some rule looks at, each cut to what CEL can afford."""
    pairs: list[tuple[str, str]] = []
    for where in Where:
        if where not in used:
            continue
        whole = f"{where.value}Whole"
        pairs.append((whole, f'({_PIECES[where]}).join(" ")'))
        pairs.append(
            (
                variable(where),
                (
                    f"size(variables.{whole}) > {TEXT_LIMIT}"
                    f" ? variables.{whole}.substring(0, {TEXT_LIMIT}) : variables.{whole}"
                ),
            )
        )
    return pairs
