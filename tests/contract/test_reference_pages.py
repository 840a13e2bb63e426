"""The reference pages say what the code has, all of it and nothing else."""

import re

import pytest

from bursar.api import meta
from bursar.runtime.http import PREFIX as PREFIX_OF_API
from bursar.runtime.http import ROUTES
from bursar.runtime.metrics.families import EVENT_LAG, FAMILIES
from bursar.settings import PREFIX, Settings
from support.examples import ROOT
from support.generated import generate

PAGES = ROOT / "docs" / "reference"
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def rows(page: str) -> list[str]:
    return ROW.findall((PAGES / page).read_text("utf-8"))


@pytest.mark.parametrize("name", ["metrics", "settings", "labels", "api", "cli"])
def test_the_page_is_fresh(name: str) -> None:
    done = generate(name, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_on_the_page_and_every_metric_there_exists() -> None:
    exposed = [family.exposed for family in FAMILIES]
    assert sorted(rows("metrics.md")) == sorted([*exposed, "bursar_build_info", EVENT_LAG[0]])


def test_every_route_and_parameter_of_the_read_api_is_on_the_page() -> None:
    text = (PAGES / "api.md").read_text("utf-8")
    assert re.findall(r"^`GET (.*)`$", text, re.MULTILINE) == [
        PREFIX_OF_API + route.path for route in ROUTES
    ]
    parameters = [each.name for route in ROUTES for each in route.parameters]
    assert rows("api.md") == parameters


def test_every_setting_is_on_the_page_with_its_meaning() -> None:
    assert rows("settings.md") == [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    text = (PAGES / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in text
        assert field.description, f"{name} has no meaning"


def test_every_name_that_is_written_on_objects_is_on_the_page() -> None:
    kinds = ("LABEL_", "ANNOTATION_", "CONDITION_", "REASON_")
    names = [
        value
        for name, value in vars(meta).items()
        if name.startswith(kinds) and isinstance(value, str)
    ]
    assert sorted(rows("labels.md")) == sorted([*names, meta.GATE, meta.OVERRIDE_VERB])


def test_every_name_has_a_meaning() -> None:
    text = (PAGES / "labels.md").read_text("utf-8")
    empty = [line for line in text.splitlines() if line.startswith("| `") and "` |  |" in line]
    assert not empty
