"""Reads all Jobs in one list: when each ended, and what its pods asked for."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from bursar.domain.fields import mapping, text
from bursar.domain.time import Ms, parse_time
from bursar.meter.witness import Testimony, of_job
from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path

logger = logging.getLogger(__name__)

JOBS = object_path("batch/v1", "jobs")


@dataclass(slots=True)
class Jobs:
    """Jobs by uid, as far as they could be read."""

    by_uid: dict[str, JSON] = field(default_factory=dict)

    def ends(self, uid: str, grace: Ms | None) -> list[Testimony]:
        """What a Job says of its pods' ends; nothing where it is not known, or goes on."""
        job = self.by_uid.get(uid)
        if job is None:
            return []
        status = mapping(job, "status")
        return of_job(status, _moments(status), grace)


async def read(gateway: Gateway) -> Jobs:
    """All Jobs of the cluster; what cannot be read is left out, and said."""
    found = Jobs()
    try:
        async for page in gateway.pages(JOBS):
            for job in page:
                job.setdefault("kind", "Job")
                job.setdefault("apiVersion", "batch/v1")
                found.by_uid[text(mapping(job, "metadata"), "uid")] = job
    except ApiError as error:
        logger.warning("witness=jobs cannot be read: %s", error)
    return found


def _moments(status: Mapping[str, object]) -> dict[str, Ms]:
    """When which condition came true; a Job's own completion time is the better word for it."""
    moments: dict[str, Ms] = {}
    conditions = status.get("conditions")
    for entry in conditions if isinstance(conditions, list) else ():
        if isinstance(entry, dict) and entry.get("status") == "True":
            at = parse_time(entry.get("lastTransitionTime"))
            if at is not None:
                moments[text(entry, "type")] = at
    completed = parse_time(status.get("completionTime"))
    if completed is not None:
        moments["Complete"] = completed
    return moments
