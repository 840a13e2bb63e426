"""Where power goes to and comes from: a region's data-center overhead (PUE) and carbon intensity.

Decides from the bundled table, whose text is handed in. A region that the table does not have is
unknown; a PUE that nobody states for a known place is the table's assumption, and says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is known of a place.

    Attributes:
        pue: power that the building draws for each watt of its machines; None where unknown.
        intensity: kgCO2e for each kWh from its grid; None where unknown.
    """

    pue: Fraction | None
    intensity: Fraction | None


NOWHERE = Site(pue=None, intensity=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The bundled table.

    Attributes:
        as_of: day of the collection.
        sites: by region as nodes are labelled with it, in lower case. A country's ISO 3166 code of
            three letters stands for its grid.
        assumed_pue: for machines of which nobody states one.
    """

    as_of: str
    sites: Mapping[str, Site]
    assumed_pue: Fraction

    def site(self, region: str) -> Site:
        """What is known of a region; nothing of one that the table does not have."""
        return self.sites.get(region.lower(), NOWHERE)


def parse_grid(text: str) -> Grid:
    """Read the bundled table (JSON).

    Raises:
        KeyError, ValueError: it is not such a table; it ships with this version, so that is a
            defect.
    """
    table = json.loads(text)
    return Grid(
        as_of=table["header"]["asOf"],
        sites={
            region: Site(
                pue=None if pue is None else Fraction(pue),
                intensity=None if intensity is None else Fraction(intensity),
            )
            for region, pue, intensity in table["sites"]
        },
        assumed_pue=Fraction(table["assumedPue"]),
    )
