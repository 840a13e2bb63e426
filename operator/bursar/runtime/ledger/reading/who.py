"""What a report tells of single pods: their names, nodes and owners, where it asks for any."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement

from bursar.report import PODS
from bursar.runtime.ledger import schema
from bursar.runtime.ledger.reading import held
from bursar.runtime.ledger.reading.asked import Asked
from bursar.runtime.ledger.reading.snapshot import Snapshot
from bursar.runtime.ledger.reading.tally import NODE, Raw

_NAMESPACE, _NAME, _KIND, _OWNERS_NAMESPACE, _OWNERS_NAME = range(held.EXTRA, held.EXTRA + 5)

Names = tuple[str, str, str, str]
_NAMELESS: Names = ("", "", "", "")


class Who:
    """Tells of rows what is a pod's own.

    Attributes:
        columns: that rows must have for it, besides `held.COLUMNS`.
        runs: whether these are of runs, too.
    """

    def __init__(self, snapshot: Snapshot, asked: Asked) -> None:
        named = {*asked.keys, *(name for name, _ in asked.filters)}
        self._snapshot = snapshot
        tells: Mapping[str, Callable[[Raw], str]] = {
            "node": self._node,
            "workload": _workload,
            "run": _run,
            "pod": lambda row: str(row[_NAME]),
        }
        self._tells = {name: tells[name] for name in PODS if name in named}
        self._told = [self._tells.get(name) for name in ("node", "workload", "run", "pod")]
        self._filters = [
            (tells[name], value) for name, value in asked.filters if name in self._tells
        ]
        self.runs = bool({"workload", "run"} & self._tells.keys())
        pod, run = schema.POD.c, schema.RUN.c
        columns: list[ColumnElement[Any]] = [pod.namespace, pod.name] if self._tells else []
        columns += [run.kind, run.namespace, run.name] if self.runs else []
        self.columns = tuple(columns)

    def __bool__(self) -> bool:
        """Tell whether anything is told."""
        return bool(self._tells)

    def names(self, row: Raw) -> Names:
        """Node, workload, run and name of a row's pod; empty what nobody asks for."""
        if not self._tells:
            return _NAMELESS
        node, workload, run, pod = self._told
        return (
            node(row) if node else "",
            workload(row) if workload else "",
            run(row) if run else "",
            pod(row) if pod else "",
        )

    def wanted(self, row: Raw) -> bool:
        """Tell whether the row's pod passes those filters that are about pods."""
        return all(tell(row) == value for tell, value in self._filters)

    def _node(self, row: Raw) -> str:
        return self._snapshot.node_names.get(row[NODE], "")


def _workload(row: Raw) -> str:
    if row[_KIND] is None:
        return f"Pod/{row[_NAME]}"
    return f"{row[_KIND]}/{row[_OWNERS_NAME]}"


def _run(row: Raw) -> str:
    if row[_KIND] is None:
        return f"Pod/{row[_NAMESPACE]}/{row[_NAME]}"
    return f"{row[_KIND]}/{row[_OWNERS_NAMESPACE]}/{row[_OWNERS_NAME]}"
