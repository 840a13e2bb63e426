"""The bundled device tables: accelerators, MIG profiles, instance types.

Parsed from the text of the catalog, which is handed in: this module reads no file. It must never
invent a device: a name that the tables do not hold has no entry.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

UNKNOWN_ACCELERATOR = "unknown"
"""Name of a model that no label and no table tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A model of accelerator.

    Attributes:
        name: canonical name in lower case, such as `h100-sxm5-80gb`.
        memory_mib: memory of one device (MiB), None where unknown.
        watts: board power of one device (W), None where unknown.
        cores_per_device: NeuronCores of one device, None for all others.
    """

    name: str
    vendor: str
    memory_mib: int | None
    watts: Fraction | None
    cores_per_device: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigProfile:
    """A MIG profile of one model.

    Attributes:
        compute: compute slices held, of `compute_base`.
        memory: memory slices held, of `memory_base`.
        most: how many of these one device takes.
    """

    compute: int
    compute_base: int
    memory: int
    memory_base: int
    most: int

    @property
    def share(self) -> Fraction:
        """Devices held: the mean of both fractions, so that a legal layout never exceeds one."""
        compute = Fraction(self.compute, self.compute_base)
        return (compute + Fraction(self.memory, self.memory_base)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorTables:
    """All tables, looked up by what nodes carry.

    Attributes:
        accelerators: by canonical name.
        aliases: canonical names by (kind of label, its value folded to lower case); several where
            the label alone does not tell.
        mig_profiles: by (canonical name, profile as it stands in the resource's name).
        instances: (canonical name, devices or None where unknown) by instance type.
        further: resource names that the installation says are whole devices, too.
    """

    accelerators: Mapping[str, Accelerator]
    aliases: Mapping[tuple[str, str], tuple[str, ...]]
    mig_profiles: Mapping[tuple[str, str], MigProfile]
    instances: Mapping[str, tuple[str, Fraction | None]]
    further: frozenset[str] = frozenset()


ALIAS_KINDS = ("product", "gke", "karpenter", "amd", "amdDeviceId", "intel", "tpu")


def parse_tables(text: str) -> AcceleratorTables:
    """Read the device tables of a catalog.

    Raises:
        ValueError: the text is no catalog of this version; it ships with the package, so this is a
            broken installation and not a tenant's doing.
    """
    try:
        data = json.loads(text)
        return AcceleratorTables(
            accelerators={row["name"]: _accelerator(row) for row in data["accelerators"]},
            aliases=_aliases(data["accelerators"]),
            mig_profiles={(row[0], row[1]): _profile(*row[2:]) for row in data["migProfiles"]},
            instances={row[1]: (row[2], _count(row[3], row[4])) for row in data["instances"]},
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the bundled catalog is damaged: {error!r}") from error


def _accelerator(row: Mapping[str, Any]) -> Accelerator:
    memory, watts = row.get("memoryGiB"), row.get("watts")
    return Accelerator(
        name=row["name"],
        vendor=row["vendor"],
        memory_mib=int(Fraction(memory) * 1024) if memory else None,
        watts=Fraction(watts) if watts else None,
        cores_per_device=row.get("coresPerDevice"),
    )


def _aliases(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, ...]]:
    aliases: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows:
        for kind in ALIAS_KINDS:
            for label in row.get(kind, ()):
                key = kind, label.casefold()
                aliases[key] = (*aliases.get(key, ()), row["name"])
    return aliases


def _profile(
    compute: int, compute_base: int, memory: int, memory_base: int, most: int
) -> MigProfile:
    return MigProfile(
        compute=compute,
        compute_base=compute_base,
        memory=memory,
        memory_base=memory_base,
        most=most,
    )


def _count(numerator: int | None, denominator: int | None) -> Fraction | None:
    if numerator is None or denominator is None:
        return None
    return Fraction(numerator, denominator)
