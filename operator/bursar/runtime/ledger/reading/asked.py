"""What a report is asked for, in the terms of the ledger's readers."""

from dataclasses import dataclass

from bursar.domain.time import Ms
from bursar.report import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is asked for.

    Attributes:
        stretches: of its window, one after the other without a gap; at least one.
        now: up to when what is held still counts.
        keys: that it groups by.
        filters: keys and the values that they must have.
        namespace: whose pods; None: all.
    """

    stretches: tuple[Window, ...]
    now: Ms
    keys: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    namespace: str | None = None

    @property
    def window(self) -> Window:
        """All of it."""
        return Window(since=self.stretches[0].since, until=self.stretches[-1].until)

    @property
    def narrowed(self) -> bool:
        """Tell whether it is about some pods only."""
        return self.namespace is not None or bool(self.filters)
