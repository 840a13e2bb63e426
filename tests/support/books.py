"""Price books for tests."""

from typing import Any

from bursar.api.pricebook import PriceBook
from bursar.price.books import Books, merge


def book(name: str = "book", **spec: Any) -> PriceBook:
    return PriceBook.parse({"metadata": {"name": name}, "spec": spec})


def books(**spec: Any) -> Books:
    return merge([book(**spec)])


DGX = {
    "name": "dgx",
    "nodeSelector": {"nvidia.com/gpu.machine": "DGXH100"},
    "purchasePrice": "310000",
    "residualValue": "40000",
    "depreciationMonths": 48,
    "inServiceFrom": "2026-01-01T00:00:00Z",
    "perMonth": {"hosting": "900", "staff": "1500"},
    "watts": 10200,
    "pricePerKWh": "0.14",
    "pue": "1.4",
}
