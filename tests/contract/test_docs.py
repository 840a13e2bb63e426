"""The pages' commands exist, with their options; and what compares pages with runs can tell."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from bursar.cli.app import app
from support.examples import ROOT
from support.pages import Command, commands, missing, objects, pages

ROOT_COMMAND = typer.main.get_command(app)
WRITTEN = [command for page in pages() for command in commands(page)]
OURS = [
    pytest.param(command, words, id=f"{command.where} {' '.join(words)}")
    for command in WRITTEN
    for words in [shlex.split(command.text.replace("\\\n", " "), comments=True)]
    if words and (words[0] == "bursar" or words[:2] == ["kubectl", "bursar"])
]


def test_there_are_commands_to_be_looked_at() -> None:
    assert OURS


@pytest.mark.parametrize(("command", "words"), OURS)
def test_a_command_on_a_page_exists_with_its_options(command: Command, words: list[str]) -> None:
    del command
    if words[0] == "kubectl":
        words = words[1:]
    at: Any = ROOT_COMMAND
    rest = words[1:]
    while hasattr(at, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in at.commands, f"there is no command {rest[0]}"
        at, rest = at.commands[rest[0]], rest[1:]
    known = {
        name for parameter in at.params for name in (*parameter.opts, *parameter.secondary_opts)
    }
    options = [word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"]
    help_names = {"--help", "-h", "--version", "--install-completion", "--show-completion"}
    assert set(options) <= known | help_names


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_yaml_on_a_page_can_be_read(page: Path) -> None:
    for _, each in objects(page):
        assert {"apiVersion", "kind", "metadata"} <= each.keys()


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.name
)
def test_a_picture_is_small_and_asks_nobody_for_anything(picture: Path) -> None:
    text = picture.read_text("utf-8")
    assert len(text) < 80_000
    # What a terminal showed is text; a reference would be an attribute or a style.
    assert not re.search(r"(href|src)\s*=|url\((?!#)|@import|@font-face|<script", text)


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text("utf-8"))
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in anchors((page.parent / target) if target else page)
    ]
    assert not lost


def test_every_page_is_in_the_index() -> None:
    folder = ROOT / "docs"
    index = (folder / "README.md").read_text("utf-8")
    absent = [
        str(page.relative_to(folder))
        for page in pages()
        if page.is_relative_to(folder)
        and page != folder / "README.md"
        and f"({page.relative_to(folder)})" not in index
    ]
    assert not absent


@pytest.mark.parametrize(
    ("shown", "printed", "lost"),
    [
        pytest.param("job.batch/a created", "job.batch/a created\n", [], id="the same"),
        pytest.param("spent 0.10 USD, 2m5s", "spent 12.5 USD,   9s", [], id="other figures"),
        pytest.param("pod/a-fj5vt", "pod/a-xk2p9", [], id="another random name"),
        pytest.param("… is shut: …", "AIBudget a is shut: $1 of $1", [], id="a shortened line"),
        pytest.param("…", "anything", [], id="lines left out"),
        pytest.param("a created", "a unchanged", ["a created"], id="another word"),
        pytest.param("… is shut: …", "it is open", ["… is shut: …"], id="a part that is not there"),
        pytest.param("created", "job created", ["created"], id="half of a line"),
    ],
)
def test_what_a_page_shows_is_compared_but_for_its_figures(
    shown: str, printed: str, lost: list[str]
) -> None:
    assert missing((shown,), printed) == lost
