"""What price books say of themselves: in use, in conflict, beside a catalog of which age."""

from typing import Any

import pytest

from bursar.api.conditions import Condition
from bursar.domain.action import WriteStatus
from bursar.domain.time import DAY
from bursar.runtime.configuring.configuration import Configuration
from support.runtime import T0, book, flat

CURRENT = (True, "the catalog's list prices are of 2026-10-04")
STALE = (False, "the catalog's list prices are of 2026-10-04, 180 days old or more: …")


def conditions(
    configuration: Configuration,
    conflicts: list[str] | None = None,
    catalog: tuple[bool, str] = CURRENT,
    now: int = T0,
) -> dict[str, dict[str, Condition]]:
    """Conditions by object and type, as far as they have changed; they count as written then."""
    found = {}
    for action in list(configuration.statuses(conflicts or [], catalog, now)):
        assert isinstance(action, WriteStatus)
        configuration.done(action)
        said = action.status["conditions"]
        found[action.ref.name] = {each["type"]: each for each in said}
    return found


def configured(*objs: dict[str, Any]) -> Configuration:
    made = Configuration()
    for obj in objs:
        assert made.apply("pricebooks", obj, gone=False)
    return made


def test_a_book_is_in_use_and_says_of_which_day_the_list_prices_are() -> None:
    configuration = configured(book(flat("48")))
    (said,) = conditions(configuration).values()
    assert [(name, each["status"]) for name, each in sorted(said.items())] == [
        ("CatalogCurrent", "True"),
        ("Ready", "True"),
    ]
    assert said["CatalogCurrent"]["message"] == CURRENT[1]
    assert conditions(configuration, now=T0 + DAY) == {}, "nothing new is not written"


def test_a_stale_catalog_is_told_by_each_book_until_it_is_no_longer() -> None:
    configuration = configured(book(flat("48"), name="a"), book(flat("48"), name="b"))
    conditions(configuration)
    told = conditions(configuration, catalog=STALE)
    assert set(told) == {"a", "b"}
    for said in told.values():
        stale = said["CatalogCurrent"]
        assert (stale["status"], stale["reason"]) == ("False", "Stale")
        assert said["Ready"]["status"] == "True"
    (again, _) = conditions(configuration).values()
    assert again["CatalogCurrent"]["status"] == "True"


@pytest.mark.parametrize(
    ("conflicts", "accused"),
    [
        pytest.param(["PriceBook a/one", "PriceBook b/two"], {"a", "b"}, id="both that tie"),
        pytest.param(["PriceBook ab/one", "PriceBook ab/two"], {"ab"}, id="one with itself"),
        pytest.param(["PriceBook a/b", "PriceBook a/ab"], {"a"}, id="no book named like a rule"),
    ],
)
def test_only_books_that_tie_are_in_conflict(conflicts: list[str], accused: set[str]) -> None:
    configuration = configured(*(book(flat("48"), name=name) for name in ("a", "b", "ab")))
    told = conditions(configuration, conflicts)
    found = {name for name, said in told.items() if said["Ready"]["reason"] == "ConflictingRates"}
    assert found == accused
    for name in found:
        assert all(conflict in told[name]["Ready"]["message"] for conflict in conflicts)


def test_a_book_that_cannot_be_read_names_the_field() -> None:
    broken = book({"name": "r", "perHour": "much"})
    (said,) = conditions(configured(broken)).values()
    assert said["Ready"]["reason"] == "Invalid"
    assert "spec.rates" in said["Ready"]["message"]
