"""`bursar release-all`: lets every Job go on that Bursar suspended, with the user's own rights.

For when the operator can't: it is dead, uninstalled, or only observes now. Decides from the Jobs
alone, by the annotation of a hold and by who set `spec.suspend` last; a Job that its owner
suspended is never touched. Needs no operator, and neither CRDs nor policies.
"""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bursar.api.meta import ANNOTATION_HELD, ANNOTATION_READ_API, FIELD_MANAGER, GROUP
from bursar.cli.output import Format, print_rows
from bursar.domain.fields import mapping, texts
from bursar.domain.kinds import find_kind
from bursar.errors import BursarError

if TYPE_CHECKING:
    from bursar.runtime.cluster.gateway import ApiError, Gateway

COLUMNS = {"namespace": "NAMESPACE", "name": "JOB", "heldBy": "HELD BY", "result": "RESULT"}
TRIES = 5
CONFLICT, FORBIDDEN, NOT_FOUND = 409, 403, 404
BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/budget-is-shut"
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/aibudgets.{GROUP}"
ENFORCING = "--mode=Enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which Jobs of which cluster (namespace None: all), and what is to be done.

    Attributes:
        dry_run: whether nothing is changed.
        force: whether an operator that enforces is no reason to refuse.
    """

    kubeconfig: Path | None
    context: str | None
    namespace: str | None
    dry_run: bool
    force: bool


class Finding(StrEnum):
    """What becomes of a Job with the annotation of a hold."""

    RESUME = "resumed"
    FORGET = "not suspended; note removed"
    OWNER = "left alone: somebody else suspended it"


_WOULD = {
    Finding.RESUME: "would be resumed",
    Finding.FORGET: "not suspended; note would be removed",
}


def judge(job: Mapping[str, Any]) -> Finding | None:
    """Decide about one Job, from itself alone; None where Bursar does not hold it.

    A hold is the annotation with `spec.suspend`, which Bursar set; where another manager of fields
    has set it since, or too, it is the owner's wish.
    """
    if not held_by(job):
        return None
    if mapping(job, "spec").get("suspend") is not True:
        return Finding.FORGET
    return Finding.RESUME if suspenders(job) <= {FIELD_MANAGER} else Finding.OWNER


def held_by(job: Mapping[str, Any]) -> str:
    """The budgets for which a Job is held, as the annotation says; empty where it is not."""
    return texts(mapping(job, "metadata"), "annotations").get(ANNOTATION_HELD, "")


def suspenders(job: Mapping[str, Any]) -> set[str]:
    """Managers that own `spec.suspend`, as far as the object tells."""
    entries = mapping(job, "metadata").get("managedFields")
    return {
        str(entry.get("manager", ""))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
        and "f:suspend" in mapping(mapping(entry, "fieldsV1"), "f:spec")
    }


def in_order(jobs: Iterable[Mapping[str, Any]], priorities: Mapping[str, int]) -> list[Any]:
    """Jobs as they may start: the highest priority first, among equals the oldest."""

    def key(job: Mapping[str, Any]) -> tuple[int, str, str]:
        pod = mapping(mapping(mapping(job, "spec"), "template"), "spec")
        metadata = mapping(job, "metadata")
        priority = priorities.get(str(pod.get("priorityClassName") or ""), priorities.get("", 0))
        created, uid = (str(metadata.get(name, "")) for name in ("creationTimestamp", "uid"))
        return -priority, created, uid

    return sorted(jobs, key=key)


def run(query: Query, output: Format) -> None:
    """Release and print one row a Job.

    Raises:
        BursarError: no right, no cluster, an operator that would suspend them again, or some Jobs
            could not be changed (after all others were).
    """
    rows, failed = asyncio.run(_release(query))
    print_rows(rows, COLUMNS, output)
    if failed:
        raise BursarError(f"{len(failed)} of {len(rows)} Jobs could not be released: {failed[0]}")


async def _release(query: Query) -> tuple[list[dict[str, Any]], list[str]]:
    from bursar.runtime.cluster.gateway import Gateway

    gateway = await Gateway.connect(query.kubeconfig, query.context)
    try:
        if not query.dry_run:
            await _look_around(gateway, force=query.force)
        jobs = in_order(await _held(gateway, query.namespace), await _priorities(gateway))
        rows, failed = [], []
        for job in jobs:
            result, problem = await _one(gateway, job, dry_run=query.dry_run)
            failed += [problem] if problem else []
            rows.append(
                {
                    "namespace": job["metadata"]["namespace"],
                    "name": job["metadata"]["name"],
                    "heldBy": held_by(job),
                    "result": result,
                }
            )
        return rows, failed
    finally:
        await gateway.close()


async def _held(gateway: "Gateway", namespace: str | None) -> list[dict[str, Any]]:
    """All Jobs that carry the annotation of a hold; only these are kept in memory."""
    from bursar.runtime.cluster.gateway import ApiError

    try:
        return [
            job
            async for page in gateway.pages(_path(namespace or ""))
            for job in page
            if judge(job) is not None
        ]
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        hint = "" if namespace else "; name one with --namespace"
        raise BursarError(
            f"you may not list Jobs {where}: you need the verbs list and patch on jobs "
            f"(API group batch){hint}"
        ) from error


async def _priorities(gateway: "Gateway") -> dict[str, int]:
    """Value by PriorityClass, by the empty name the default; nothing without the right to list."""
    from bursar.runtime.cluster.gateway import ApiError

    try:
        classes, _ = await gateway.collection("/apis/scheduling.k8s.io/v1/priorityclasses")
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return {}
    values = {each["metadata"]["name"]: int(each.get("value", 0)) for each in classes}
    default = next((int(c.get("value", 0)) for c in classes if c.get("globalDefault")), 0)
    return {**values, "": default}


async def _one(gateway: "Gateway", job: dict[str, Any], *, dry_run: bool) -> tuple[str, str]:
    """Release one Job, looking again where it changed meanwhile; what came of it, and a problem."""
    from bursar.runtime.cluster.gateway import ApiError

    metadata = job["metadata"]
    path = _path(metadata["namespace"], metadata["name"])
    for attempt in range(1, TRIES + 1):
        finding = judge(job)
        if finding is None:
            return "released by somebody else", ""
        if finding is Finding.OWNER:
            return finding.value, ""
        if dry_run:
            return _WOULD[finding], ""
        try:
            await gateway.merge(path, _patch(job, finding))
        except ApiError as error:
            if error.status == NOT_FOUND:
                return "gone", ""
            if error.status != CONFLICT or attempt == TRIES:
                return "failed", _problem(error, metadata["namespace"])
            job = await gateway.find(path) or {}
        else:
            return finding.value, ""
    raise AssertionError("every try returns")


def _patch(job: Mapping[str, Any], finding: Finding) -> dict[str, Any]:
    # With its version: what somebody else changes meanwhile must be looked at anew.
    patch: dict[str, Any] = {
        "metadata": {
            "resourceVersion": job["metadata"].get("resourceVersion"),
            "annotations": {ANNOTATION_HELD: None},
        }
    }
    return patch | ({"spec": {"suspend": False}} if finding is Finding.RESUME else {})


def _problem(error: "ApiError", namespace: str) -> str:
    if error.status == FORBIDDEN and "cannot patch" in error.message:
        return f"you need the verb patch on jobs (API group batch) in namespace {namespace}"
    return str(error)


async def _look_around(gateway: "Gateway", *, force: bool) -> None:
    """Refuse where an operator would suspend them again; tell where pods will still be refused.

    Raises:
        BursarError: an operator runs that enforces, and `force` is not set.
    """
    operator = await _enforcing_operator(gateway)
    if operator and not force:
        raise BursarError(
            f"the operator ({operator}) runs and enforces: it would suspend the Jobs again. Raise "
            "the budget, go to enforcement.mode=Observe, or uninstall; or use --force"
        )
    if await gateway.find(BINDING):
        sys.stderr.write(
            "bursar: the admission policies are still in force: pods of a shut budget are refused "
            "until the chart is uninstalled or set to enforcement.mode=Observe\n"
        )


async def _enforcing_operator(gateway: "Gateway") -> str:
    """Namespace and name of a Deployment of the operator that is ready and enforces; else empty."""
    from bursar.runtime.cluster.gateway import object_path

    definition = await gateway.find(DEFINITION) or {}
    where = texts(mapping(definition, "metadata"), "annotations").get(ANNOTATION_READ_API, "")
    namespace, _, service = where.partition("/")
    name = service.split(":")[1] if service.count(":") == 2 else "bursar"
    path = object_path("apps/v1", "deployments", namespace or "bursar-system", name)
    found = await gateway.find(path) or {}
    pod = mapping(mapping(mapping(found, "spec"), "template"), "spec")
    containers = pod.get("containers")
    enforces = any(
        ENFORCING in (each.get("args") or ())
        for each in (containers if isinstance(containers, list) else ())
    )
    ready = mapping(found, "status").get("readyReplicas")
    return f"{namespace or 'bursar-system'}/{name}" if enforces and ready else ""


def _path(namespace: str, name: str = "") -> str:
    from bursar.runtime.cluster.gateway import object_path

    row = find_kind("batch/v1", "Job")
    assert row is not None, "the table of kinds has Jobs"
    return object_path(row.api_version, row.plural, namespace, name)
