"""The bundled catalog, as text and parsed, for tests that look things up in it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from bursar.price.catalog import Catalog, parse_catalog
from bursar.recognize.tables import AcceleratorTables, parse_tables

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "operator/bursar/price/data/catalog.json"
SOURCE = ROOT.parent / "shared/data/prices"


@cache
def text() -> str:
    return CATALOG.read_text(encoding="utf-8")


@cache
def data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text())
    return loaded


@cache
def tables() -> AcceleratorTables:
    return parse_tables(text())


@cache
def catalog() -> Catalog:
    return parse_catalog(text())
