"""Reads the bundled price catalog from the package."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from bursar.price.catalog import Catalog, parse_catalog
from bursar.recognize.tables import AcceleratorTables, parse_tables


@dataclass(frozen=True, slots=True)
class Bundle:
    """The catalog's two views: prices, and what is known of devices."""

    prices: Catalog
    tables: AcceleratorTables


@cache
def load(further: frozenset[str] = frozenset()) -> Bundle:
    """The catalog that ships with this version, read once.

    Args:
        further: resource names that the installation says are whole accelerators, too.
    """
    text = files("bursar.price").joinpath("data", "catalog.json").read_text("utf-8")
    return Bundle(parse_catalog(text), replace(parse_tables(text), further=further))
