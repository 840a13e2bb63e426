"""Further resources that an installation says are whole accelerators."""

import pytest

from bursar.errors import BursarError
from bursar.runtime.configuring import catalog
from bursar.settings import load


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, set()),
        ("", set()),
        ("example.com/card", {"example.com/card"}),
        (" example.com/Card_2.x , e.org/c,", {"example.com/Card_2.x", "e.org/c"}),
    ],
    ids=["by default: none", "blank", "one", "two, with blanks"],
)
def test_names_are_read(text: str | None, names: set[str]) -> None:
    assert load({"accelerator_resources": text}).further_resources == names


@pytest.mark.parametrize("text", ["card", "example.com/", "/card", "Example.com/card", "a/b/c"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BursarError, match="accelerator_resources"):
        load({"accelerator_resources": text})


def test_recognition_is_told_of_them() -> None:
    named = frozenset({"example.com/card"})
    assert catalog.load(named).tables.further == named
    assert catalog.load().tables.further == frozenset()
