"""Waits for rights that an older chart does not give, where their want would end the operator.

Said in one line of the log and by the readiness probe; an operator that restarts again and again
says nothing that anybody finds.
"""

import asyncio
import logging

from bursar.runtime.cluster.gateway import JSON, ApiError, Gateway, object_path

logger = logging.getLogger(__name__)

FORBIDDEN = 403
RETRY_SECONDS = 10
"""How often it is looked whether the right has been given."""
OLD_CHART = "the chart installed is older than this operator: upgrade it with `helm upgrade`"
PART = "rights"
"""The part of the operator that is not ready meanwhile."""


async def listed(
    gateway: Gateway, api_version: str, plural: str, missing: dict[str, str]
) -> list[JSON]:
    """All objects of a kind, as soon as they may be listed.

    Args:
        gateway: asks.
        api_version: of the kind.
        plural: its name in paths.
        missing: what is not ready, by part: told here while it lasts.

    Raises:
        ApiError: another error than a missing right.
    """
    while True:
        try:
            items, _ = await gateway.collection(object_path(api_version, plural))
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            missing[PART] = f"may not list {plural}: {error.message}; {OLD_CHART}"
            logger.warning("rights=missing %s; again in %d s", missing[PART], RETRY_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            missing.pop(PART, None)
            return items
