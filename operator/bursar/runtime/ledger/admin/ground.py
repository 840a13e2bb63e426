"""What a verification stands on: one state of the database, and which part of it."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from bursar.domain.time import Ms
from bursar.runtime.ledger import schema, sums
from bursar.runtime.ledger.names import Names
from bursar.runtime.ledger.rollups import Scope


@dataclass(frozen=True, slots=True)
class Ground:
    """What is verified.

    Attributes:
        span: beginning and end of the month (ms); None: all.
    """

    connection: Connection
    names: Names
    cluster_id: int
    state: sums.State
    span: tuple[Ms, Ms] | None

    def holds(self, moment: Ms) -> bool:
        """Whether a moment is in the part that is verified."""
        return self.span is None or self.span[0] <= moment < self.span[1]


def state(connection: Connection, cluster_id: int, now: Ms) -> sums.State:
    """What is kept and closed; a ledger that was never written to has nothing of it."""
    there = select(schema.KEPT.c.cluster_id).where(schema.KEPT.c.cluster_id == cluster_id)
    if connection.execute(there).one_or_none() is None:
        return sums.State(Scope())
    return sums.state(connection, cluster_id, now)
