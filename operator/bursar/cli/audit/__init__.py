"""`bursar audit`: what GPU workloads a cluster holds, whose, at what price, and what to do first.

Reads the API server and writes nothing; nothing has to be installed. `gather` reads, `assess`
judges by the operator's own functions, `findings` ranks what to do, `render`, `document` and
`starters` say it.
"""

from bursar.cli.audit.command import Query, show

__all__ = ["Query", "show"]
