"""What a verification compared, and what differs, with where."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LISTED = 50
"""Differences of one check that are listed; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two figures that should be one.

    Attributes:
        check: what was compared.
        where: the row, by names that people know.
        kept: what the ledger says.
        counted: what it comes to.
    """

    check: str
    where: str
    kept: str
    counted: str


@dataclass(slots=True, kw_only=True)
class Check:
    """One comparison.

    Attributes:
        name: what is compared, with what.
        compared: how many figures.
        different: how many of them are not what they should be.
    """

    name: str
    compared: int = 0
    different: int = 0


@dataclass(slots=True)
class Verdict:
    """All that was compared."""

    month: str | None = None
    checks: list[Check] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def different(self) -> int:
        """How many figures are not what they should be."""
        return sum(check.different for check in self.checks)

    @contextmanager
    def check(self, name: str) -> Iterator["Tally"]:
        """Count one comparison in."""
        check = Check(name=name)
        self.checks.append(check)
        yield Tally(self, check)

    def document(self) -> Mapping[str, Any]:
        """The same as JSON."""
        return {
            "month": self.month,
            "checks": [
                {"check": check.name, "compared": check.compared, "different": check.different}
                for check in self.checks
            ],
            "different": self.different,
            "differences": [
                {"check": each.check, "where": each.where, "kept": each.kept,
                 "counted": each.counted}
                for each in self.differences
            ],
            "omitted": self.different - len(self.differences),
            "notes": list(self.notes),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """Takes what one comparison finds."""

    verdict: Verdict
    mine: Check

    def compare(self, where: str, kept: object, counted: object, figures: int = 1) -> None:
        """Compare two figures."""
        self.mine.compared += figures
        if kept != counted:
            self.tell(where, kept, counted)

    def tell(self, where: str, kept: object, counted: object) -> None:
        """Count a difference."""
        self.mine.different += 1
        if self.mine.different <= LISTED:
            self.verdict.differences.append(
                Difference(check=self.mine.name, where=where, kept=str(kept), counted=str(counted))
            )
