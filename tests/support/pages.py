"""What the documentation's pages hold for machines: commands with what they print, and YAML.

A fenced block `console` is a session of a shell: lines that begin with `$ ` are commands (a
backslash at the end goes on in the next line), the others are what they print. A line of the output
with `…` is shortened there; a line that is nothing but `…` stands for any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.examples import ROOT

PROMPT = "$ "
CUT = "…"
FAILED = "Error from server"
"""A command whose output on the page begins so is meant to fail."""

_FENCE = re.compile(r"^( *)```(\w*)\s*$")
_MASKS = (
    (re.compile(r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"), "M"),
    # The random ends of names that controllers make.
    (re.compile(r"(?<=-)(?:[a-z0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "#"),
    (re.compile(r"\d+(?:[hms]\d+)*[dhms]\b"), "#"),
    (re.compile(r"\d[\d.,:TZ-]*"), "#"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a page.

    Attributes:
        where: page and line, for messages.
        text: what is typed.
        shown: the lines that the page shows below it.
    """

    where: str
    text: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether the page shows it failing."""
        return any(line.startswith(FAILED) for line in self.shown)


def pages() -> list[Path]:
    """All pages that are written for people."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of each fenced block of a language, with the number of its first line.

    A block in a list is indented as the list is, and comes without that.
    """
    found: list[str] | None = None
    begun, wanted, indent = 0, False, ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            if found is not None:
                found.append(line.removeprefix(indent))
        elif found is None:
            found, begun, indent, wanted = [], number + 1, fence[1], fence[2] == language
        else:
            if wanted:
                yield begun, found
            found = None


def commands(page: Path) -> list[Command]:
    """All commands of a page's sessions, in their order."""
    result = []
    for begun, lines in blocks(page, "console"):
        starts = [at for at, line in enumerate(lines) if line.startswith(PROMPT)]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            last = start
            while lines[last].endswith("\\"):
                last += 1
            typed = "\n".join(lines[start : last + 1]).removeprefix(PROMPT)
            result.append(
                Command(
                    where=f"{page.relative_to(ROOT)}:{begun + start}",
                    text=typed,
                    shown=tuple(line for line in lines[last + 1 : end] if line.strip()),
                )
            )
    return result


def objects(page: Path) -> list[tuple[str, dict[str, Any]]]:
    """All complete objects in a page's YAML: those that say their apiVersion."""
    return [
        (f"{page.relative_to(ROOT)}:{begun} {document['kind']}", document)
        for begun, lines in blocks(page, "yaml")
        for document in yaml.safe_load_all("\n".join(lines))
        if isinstance(document, dict) and "apiVersion" in document
    ]


def mask(line: str) -> str:
    """A line without what differs from run to run: figures, times, random names, spaces."""
    for pattern, word in _MASKS:
        line = pattern.sub(word, line)
    return line.strip()


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """The lines that a page shows and the command did not print, whatever the figures are."""
    lines = [mask(line) for line in printed.splitlines()]
    return [
        line
        for line in shown
        if not any(_fits([mask(part) for part in line.split(CUT)], real) for real in lines)
    ]


def _fits(parts: list[str], line: str) -> bool:
    """Whether the parts stand in a line, one behind the other, and whole words at its ends."""
    if len(parts) == 1:
        return parts[0] == line
    pattern = ".*".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, line) is not None
