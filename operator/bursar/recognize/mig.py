"""The share of a GPU that a MIG instance is, by its model's own table of slices."""

import re
from fractions import Fraction

from bursar.domain.unknown import Unknown
from bursar.recognize.tables import UNKNOWN_ACCELERATOR, AcceleratorTables

_PROFILE = re.compile(r"(?P<slices>\d+g\.\d+gb)(?:[.+-](?:me|gfx|me\.all))?")


def slice_share(profile: str, model: str, tables: AcceleratorTables) -> Fraction | Unknown:
    """Devices that one instance of a profile holds.

    Args:
        profile: such as `1g.10gb` or `1g.10gb+me`. Media engines and graphics change nothing of
            the slices, and are spelled in several ways.
        model: canonical name of the GPU.
        tables: the bundled device tables.
    """
    if model == UNKNOWN_ACCELERATOR:
        return Unknown(f"MIG profile {profile}: the node's model of GPU is not known")
    written = _PROFILE.fullmatch(profile)
    known = tables.mig_profiles.get((model, written["slices"])) if written else None
    if known is not None:
        return known.share
    return Unknown(f"MIG profile {profile} is not one of the {model}'s")
