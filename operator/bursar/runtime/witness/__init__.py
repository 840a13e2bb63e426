"""Who saw what the operator did not: Kubernetes Events, Jobs, the Leases of nodes.

Only fetched here, in few requests; what a word is worth is decided in `meter`.
"""

from bursar.runtime.witness.evidence import Born, Evidence, Lost
from bursar.runtime.witness.machines import Machines
from bursar.runtime.witness.witnesses import Witnesses

__all__ = ["Born", "Evidence", "Lost", "Machines", "Witnesses"]
