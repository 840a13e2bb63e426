"""What the price path takes besides a node, as the cluster has it now."""

from dataclasses import dataclass

from bursar.price.books import Books
from bursar.price.rates import Defaults


@dataclass(slots=True)
class Prices:
    """What the price path takes besides a node: what the cluster's configuration has now.

    Attributes:
        opencost: whether OpenCost is asked, so that what it said counts.
        stale_days: age at which the bundled catalog is stale.
    """

    books: Books
    defaults: Defaults
    opencost: bool = False
    stale_days: int = 180
