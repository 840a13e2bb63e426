"""What can go wrong, as a tree that callers can catch by its meaning.

The core answers odd input with values (`Unknown`, `Unpriced`); exceptions are for input that is
broken at the edge and for faults of the world outside. Every message is one line that says what
is wrong with which object, because it ends in a condition, an Event or a terminal.
"""

_LONGEST_PROBLEM = 240
"""Characters of a problem that are kept: what tenants write must not fill logs and conditions."""


class BursarError(Exception):
    """The root of all errors that Bursar raises on purpose."""


class InvalidObject(BursarError):  # noqa: N818 - named after what is wrong, as callers read it
    """An object of the API can't be read as what it claims to be; its author must act.

    Attributes:
        kind: the object's kind, e.g. `AIBudget`.
        namespace: its namespace; empty for cluster-scoped objects and where it is not known.
        name: its name; empty where it is not known.
        field: path of the first offending field (`spec.limits.cost`); empty for the whole object.
        problem: what is wrong with it, one line.
    """

    def __init__(self, *, kind: str, namespace: str, name: str, field: str, problem: str) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.field = field
        self.problem = " ".join(problem.split())[:_LONGEST_PROBLEM]
        place = f"{namespace}/{name}" if namespace else name
        subject = f"{kind} {place}".rstrip()
        super().__init__(": ".join(part for part in (subject, field, self.problem) if part))


class LedgerError(BursarError):
    """The ledger can't be opened, read or written.

    Attributes:
        path: the database, without a password.
        problem: what is wrong with it, one line.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = " ".join(problem.split())[:_LONGEST_PROBLEM]
        super().__init__(f"ledger {path}: {self.problem}")


class Deposed(LedgerError):  # noqa: N818 - named after what happened, as callers read it
    """Another writer has taken the ledger over since: nothing of this one's is written any more."""
