"""Writes metrics down: Prometheus' text format 0.0.4, or OpenMetrics 1.0 with created timestamps.

Its own lines, because ten thousand samples must be written within some ten milliseconds and only
values change; the histogram and all reading of formats are the library's.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from prometheus_client import Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import CollectorRegistry

from bursar.runtime.metrics.families import EVENT_LAG, FAMILIES, LAG_BUCKETS, Family, Labels, Source

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
COMMIT_SECONDS: Final = 0.05
"""How long a scrape waits for the ledger; what is not written by then is shown the next time."""
MOST_KEPT: Final = 50_000
_OM_VERSIONS: Final = {"", "1.0.0", "1.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer to a scrape."""

    body: bytes
    content_type: str


class Exposition:
    """All metrics of a source.

    Attributes:
        lag: the histogram of event lag, for the streams to observe.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._library = CollectorRegistry(auto_describe=False)
        self.lag = Histogram(*EVENT_LAG, registry=self._library, buckets=LAG_BUCKETS)
        self._texts: dict[tuple[str, Labels], str] = {}
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, accept: str, scraper: str | None) -> Page:
        """Answer a scrape.

        Args:
            accept: the request's header.
            scraper: who scrapes again and again; None: nobody who does.
        """
        async with self._one_at_a_time:
            saving = self._source.refresh(scraper)
            if saving is not None:
                await asyncio.wait([asyncio.wrap_future(_hushed(saving))], timeout=COMMIT_SECONDS)
            return self.page(openmetrics=wants_openmetrics(accept))

    def page(self, *, openmetrics: bool = False) -> Page:
        """Write down the moment that the source was last refreshed at."""
        lines = list(self._lines(openmetrics=openmetrics))
        self._source.shown()
        if openmetrics:
            rest = generate_openmetrics(self._library).decode()  # type: ignore[no-untyped-call]
            return Page(body=("".join(lines) + rest).encode(), content_type=OPENMETRICS)
        rest = generate_latest(self._library).decode()
        return Page(body=("".join(lines) + rest).encode(), content_type=TEXT)

    def _lines(self, *, openmetrics: bool) -> Iterator[str]:
        for family in FAMILIES:
            name = family.name if openmetrics else family.exposed
            kind = "counter" if family.counter else "gauge"
            yield f"# HELP {name} {_escaped(family.help, quotes=openmetrics)}\n"
            yield f"# TYPE {name} {kind}\n"
            yield from self._samples(family, created=openmetrics and family.counter)
        labels = self._source.build()
        text = _braced(tuple(labels), tuple(labels.values()))
        name = "bursar_build" if openmetrics else "bursar_build_info"
        yield f"# HELP {name} Version of Bursar.\n"
        yield f"# TYPE {name} {'info' if openmetrics else 'gauge'}\n"
        yield f"bursar_build_info{text} 1.0\n"

    def _samples(self, family: Family, *, created: bool) -> Iterator[str]:
        name, texts = family.exposed, self._texts
        if len(texts) >= MOST_KEPT:
            texts.clear()
        for labels, value, since in self._source.samples(family.name):
            text = texts.get((name, labels))
            if text is None:
                text = texts[name, labels] = name + _braced(family.labels, labels)
            yield f"{text} {value!r}\n"
            if created and since is not None:
                yield f"{family.name}_created{text[len(name) :]} {since / 1000!r}\n"


def _hushed(saving: "Future[None]") -> "Future[None]":
    """The same moment without the error: the ledger tells of that itself."""
    quiet: Future[None] = Future()

    def tell(_: "Future[None]") -> None:
        if quiet.set_running_or_notify_cancel():
            quiet.set_result(None)

    saving.add_done_callback(tell)
    return quiet


def _braced(names: Labels, values: Labels) -> str:
    """Labels as a sample has them; nothing where there are none."""
    pairs = zip(names, values, strict=True)
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str, *, quotes: bool = True) -> str:
    """Text between quotes; a lone surrogate, which no UTF-8 has, becomes a question mark."""
    plain = text.encode("utf-8", "replace").decode()
    plain = plain.replace("\\", r"\\").replace("\n", r"\n")
    return plain.replace('"', r"\"") if quotes else plain


def wants_openmetrics(accept: str) -> bool:
    """Tell whether OpenMetrics 1.0 is liked at least as well as any text.

    Args:
        accept: the header of a request, by RFC 9110; odd parts of it are passed over.
    """
    best = {"openmetrics": 0.0, "text": 0.0}
    for part in accept.split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        said = dict(word.partition("=")[::2] for word in parameters)
        weight = _weight(said.get("q", "1"))
        if kind == "application/openmetrics-text" and said.get("version", "") in _OM_VERSIONS:
            best["openmetrics"] = max(best["openmetrics"], weight)
        elif kind in ("text/plain", "text/*", "*/*") and said.get("version", "0.0.4") == "0.0.4":
            best["text"] = max(best["text"], weight)
    return best["openmetrics"] > 0 and best["openmetrics"] >= best["text"]


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
