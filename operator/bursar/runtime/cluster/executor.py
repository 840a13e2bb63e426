"""Carries out what the core decided, and nothing else: one branch for each kind of action.

In Observe mode acting is simply not done here; the decisions are the same.
"""

import logging
import uuid
from collections import Counter
from typing import assert_never

from bursar.api.meta import ANNOTATION_HELD, GROUP, VERDICT_NAME, VERSION
from bursar.domain.action import (
    Action,
    Emit,
    LabelPod,
    ObjectRef,
    Resume,
    Suspend,
    WriteStatus,
    WriteVerdict,
)
from bursar.domain.kinds import find_kind
from bursar.domain.time import Ms, format_time
from bursar.runtime.cluster.gateway import ApiError, Gateway, object_path

logger = logging.getLogger(__name__)

API = f"{GROUP}/{VERSION}"
OWN_PLURALS = {
    "AIBudget": "aibudgets",
    "ClusterAIBudget": "clusteraibudgets",
    "PriceBook": "pricebooks",
    "ClassificationPolicy": "classificationpolicies",
    "AIModel": "aimodels",
}
CONFLICT = 409
NOT_FOUND = 404
FORBIDDEN = 403
TERMINATING = "because it is being terminated"
"""How the API server refuses what is new in a namespace that is on its way out."""


class Executor:
    """Applies actions to the cluster.

    Attributes:
        outcomes: how many actions were carried out, by (action, done|conflict|gone|failed).
        forbidden: uids of objects of which the last action failed for want of a right.
    """

    def __init__(self, gateway: Gateway, component: str = "bursar") -> None:
        self._gateway = gateway
        self._component = component
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.forbidden: set[str] = set()

    async def execute(self, action: Action, now: Ms) -> bool:
        """Carry out one action.

        Returns:
            False where it did not take effect: the object changed meanwhile (the next event decides
            anew), is gone, or the API server could not do it. Nothing is ever half done.
        """
        name = type(action).__name__
        try:
            await self._act(action, now)
        except ApiError as error:
            outcome = {CONFLICT: "conflict", NOT_FOUND: "gone"}.get(error.status, "failed")
            if error.status == FORBIDDEN and TERMINATING in error.message:
                outcome = "gone"
            self.outcomes[name, outcome] += 1
            if error.status == FORBIDDEN and isinstance(action, Suspend | Resume):
                self.forbidden.add(action.ref.uid)
            level = logging.ERROR if outcome == "failed" else logging.INFO
            # Nothing is wrong where the object or its namespace is going: the request says enough.
            said = str(error).partition(": ")[0] if outcome == "gone" else error
            logger.log(level, "action=%s outcome=%s %s", name, outcome, said)
            return False
        self.outcomes[name, "done"] += 1
        if isinstance(action, Suspend | Resume):
            self.forbidden.discard(action.ref.uid)
        return True

    async def _act(self, action: Action, now: Ms) -> None:
        match action:
            case LabelPod():
                await self._label_pod(action)
            case WriteStatus():
                await self._write_status(action)
            case WriteVerdict():
                await self._write_verdict(action)
            case Suspend():
                await self._set_suspend(action.ref, action.resource_version, action.held_by)
            case Resume():
                await self._set_suspend(action.ref, action.resource_version, None)
            case Emit():
                await self._emit(action, now)
            case _:
                assert_never(action)

    async def _label_pod(self, action: LabelPod) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": action.ref.name,
                "namespace": action.ref.namespace,
                "uid": action.ref.uid,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
            },
        }
        await self._gateway.apply(
            object_path("v1", "pods", action.ref.namespace, action.ref.name), body
        )

    async def _write_status(self, action: WriteStatus) -> None:
        plural = OWN_PLURALS[action.ref.kind]
        path = object_path(API, plural, action.ref.namespace, action.ref.name, "status")
        body = {
            "apiVersion": API,
            "kind": action.ref.kind,
            "metadata": {"name": action.ref.name, "uid": action.ref.uid},
            "status": action.status,
        }
        await self._gateway.apply(path, body)

    async def _write_verdict(self, action: WriteVerdict) -> None:
        kind, plural = (
            ("BudgetVerdict", "budgetverdicts")
            if action.namespace
            else ("ClusterBudgetVerdict", "clusterbudgetverdicts")
        )
        body = {
            "apiVersion": API,
            "kind": kind,
            "metadata": {"name": VERDICT_NAME},
            "verdict": action.verdict,
        }
        path = object_path(API, plural, action.namespace, VERDICT_NAME)
        if action.verdict.get("budgets"):
            await self._gateway.apply(path, body)
        else:
            await self._gateway.delete(path)

    async def _set_suspend(
        self, ref: ObjectRef, resource_version: str, held_by: tuple[str, ...] | None
    ) -> None:
        row = find_kind(ref.api_version, ref.kind)
        if row is None:
            raise ApiError(NOT_FOUND, "PATCH", ref.kind, "no such kind in the table of kinds")
        spec: dict[str, object] = {row.hold_path[-1]: held_by is not None}
        for key in reversed(row.hold_path[1:-1]):
            spec = {key: spec}
        body = {
            "metadata": {
                "resourceVersion": resource_version,
                "annotations": {ANNOTATION_HELD: ",".join(held_by) if held_by else None},
            },
            row.hold_path[0]: spec,
        }
        path = object_path(ref.api_version, row.plural, ref.namespace, ref.name)
        await self._gateway.merge(path, body)

    async def _emit(self, action: Emit, now: Ms) -> None:
        ref = action.ref
        moment = format_time(now)
        namespace = ref.namespace or "default"
        head = ref.name[:200].rstrip("-.")  # cut there, a name may end as none is allowed to
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{head}.{uuid.uuid4().hex[:16]}",
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": ref.api_version,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": ref.uid,
            },
            "type": action.event_type,
            "reason": action.reason,
            "message": action.message[:1000],
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "source": {"component": self._component},
            "reportingComponent": "bursar.dev/operator",
            "reportingInstance": self._component,
        }
        await self._gateway.create(object_path("v1", "events", namespace), body)
