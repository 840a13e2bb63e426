"""Asks a Prometheus for what OpenCost says that nodes cost.

Asking happens aside and may fail: then every node keeps the price that was said last, and the log
and a metric say that the prices are no longer renewed. Nothing here decides whose price counts.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bursar.domain.time import Ms
from bursar.errors import BursarError
from bursar.runtime import clock

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 60.0
TIMEOUT_SECONDS = 20.0
_HIGHEST = Decimal(10) ** 9
_NANO = Decimal("0.000000001")


class PrometheusError(BursarError):
    """Prometheus could not be reached, or its answer was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a node is said to cost an hour.

    Attributes:
        price: a plain decimal.
        instance_type: of the node that is meant, empty where that is not said.
    """

    price: str
    instance_type: str


async def instant(url: str, query: str) -> list[tuple[Mapping[str, str], str]]:
    """Labels and value of each series that a query has now.

    Raises:
        PrometheusError: with the reason in one line.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{url.rstrip('/')}/api/v1/query", data={"query": query}) as answer,
        ):
            found = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise PrometheusError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return list(_series(found))


def _series(found: Any) -> Iterable[tuple[Mapping[str, str], str]]:
    if not isinstance(found, dict) or found.get("status") != "success":
        said = found.get("error") if isinstance(found, dict) else None
        raise PrometheusError(f"it said: {str(said or 'nothing that is an answer')[:200]}")
    data = found.get("data")
    of_kind = data.get("resultType") == "vector" if isinstance(data, dict) else False
    result = data.get("result") if isinstance(data, dict) and of_kind else None
    if not isinstance(result, list):
        raise PrometheusError("its answer is no instant vector")
    for each in (entry for entry in result if isinstance(entry, dict)):
        labels, value = each.get("metric"), each.get("value")
        if isinstance(labels, dict) and isinstance(value, list) and len(value) == 2:
            yield labels, str(value[1])


def node_prices(series: Iterable[tuple[Mapping[str, str], str]]) -> dict[str, Measured]:
    """What each node costs, by its name; a node of which two prices are told has none.

    Args:
        series: labels (`node`, `instance_type`) and value of each, as Prometheus has them.
    """
    found: dict[str, set[Measured]] = {}
    for labels, value in series:
        name, price = labels.get("node"), _price(value)
        if name and price is not None:
            measured = Measured(price=price, instance_type=labels.get("instance_type", ""))
            found.setdefault(name, set()).add(measured)
    for name in [name for name, told in found.items() if len(told) > 1]:
        logger.warning("opencost=ambiguous node=%s: select one cluster by the query", name[:253])
        del found[name]
    return {name: told.pop() for name, told in found.items()}


def _price(text: str) -> str | None:
    """A plain decimal, to the nano-unit; None for what is no price: NaN, infinity, zero."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or not _NANO <= value < _HIGHEST:
        return None
    return format(value.quantize(_NANO).normalize(), "f")


class OpenCost:
    """Asks again and again, and hands on what is said.

    Attributes:
        up: whether the last answer was one; None: it has not been asked yet.
    """

    def __init__(
        self, url: str, query: str, take: Callable[[Mapping[str, Measured], Ms], None]
    ) -> None:
        self._url = url
        self._query = query
        self._take = take
        self.up: bool | None = None

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.look()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Ask once."""
        try:
            prices = node_prices(await instant(self._url, self._query))
        except PrometheusError as error:
            if self.up is not False:
                logger.warning(
                    "opencost=unreachable host=%s %s; nodes keep the prices that it said last",
                    urlsplit(self._url).hostname,
                    error,
                )
            self.up = False
            return
        if self.up is not True:
            logger.info("opencost=asked nodes=%d", len(prices))
        self.up = True
        self._take(prices, clock.now())
