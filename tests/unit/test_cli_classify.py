"""`bursar classify`: documents of every form, odd ones, and the exit code."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bursar.cli import manifests
from bursar.cli.app import app
from bursar.cli.manifests import ManifestFileError, documents, read

KEYS = [
    "apiVersion",
    "kind",
    "namespace",
    "name",
    "accelerators",
    "class",
    "activity",
    "confidence",
    "decidedBy",
    "model",
    "evidence",
]
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: n}
spec:
  containers:
  - image: vllm/vllm-openai:v1
    args: [--model=a/b]
    resources: {limits: {nvidia.com/gpu: 2}}
"""
PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def run(tmp_path: Path, text: str | bytes) -> tuple[int, list[dict[str, Any]]]:
    file = tmp_path / "in"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = CliRunner().invoke(app, ["classify", "-f", str(file), "-o", "json"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    if isinstance(result.exception, ManifestFileError):
        return result.exception.exit_code, lines
    return result.exit_code, lines


def names(text: str) -> list[str | None]:
    found = [document.manifest for document in documents(text)]
    return [None if one is None else one["metadata"]["name"] for one in found]


def named(*given: str) -> list[dict[str, Any]]:
    return [{"kind": "Pod", "metadata": {"name": name}} for name in given]


def test_a_line_has_the_contracted_keys_and_values(tmp_path: Path) -> None:
    code, lines = run(tmp_path, POD)
    (line,) = lines
    assert code == 0
    assert list(line) == KEYS
    assert line["accelerators"] == [{"resource": "nvidia.com/gpu", "count": "2", "share": None}]
    assert (line["class"], line["decidedBy"], line["model"]) == ("inference", "known", "a/b")
    assert (line["apiVersion"], line["kind"], line["namespace"], line["name"]) == (
        "v1",
        "Pod",
        "n",
        "a",
    )
    assert 0.9 <= line["confidence"] <= 1
    for item in line["evidence"]:
        assert list(item) == ["rule", "class", "weight", "found"]
        assert len(item["found"]) <= 200


def test_documents_without_accelerators_have_their_line_too(tmp_path: Path) -> None:
    code, lines = run(tmp_path, f"{PLAIN}---\n{POD}")
    assert code == 0
    assert [(line["kind"], line["class"]) for line in lines] == [
        ("ConfigMap", "unknown"),
        ("Pod", "inference"),
    ]
    assert lines[0]["accelerators"] == []


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(json.dumps(one) for one in named("a", "b")),
        "\n\n".join(json.dumps(one) for one in named("a", "b")) + "\n",
        "\n".join(json.dumps(one, indent=2) for one in named("a", "b")),
        json.dumps(named("a", "b")),
        json.dumps({"kind": "List", "items": named("a", "b")}),
        json.dumps({"kind": "PodList", "items": named("a", "b")}, indent=1),
        "---\n".join(f"metadata: {{name: {name}}}\n" for name in "ab"),
        "# a comment\n---\nmetadata: {name: a}\n---\n# nothing\n---\nmetadata:\n  name: b\n...\n",
        "%YAML 1.1\n---\nmetadata: {name: a}\n--- \nmetadata: {name: b}\n",
        "kind: List\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n",
        "---\r\nmetadata: {name: a}\r\n---\r\nmetadata: {name: b}\r\n",
        "[\n" + ",\n".join(json.dumps(one) for one in named("a", "b")) + "\n]",
    ],
    ids=[
        "JSON Lines",
        "JSON Lines with empty lines",
        "JSON objects one after the other",
        "a JSON array",
        "a List",
        "a PodList",
        "YAML documents",
        "comments and empty documents",
        "a directive",
        "a List in YAML",
        "Windows line ends",
        "an array with an object a line",
    ],
)
def test_every_form_gives_its_documents_in_order(text: str) -> None:
    assert names(text) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        'metadata: {name: a}\n---\n{"a": [\n---\nmetadata: {name: b}\n',
        'metadata: {name: a}\n---\nx: "\\q"\n---\nmetadata: {name: b}\n',
        'metadata: {name: a}\n---\n{"metadata": {"name": 1\n---\nmetadata: {name: b}\n',
        "metadata: {name: a}\n---\nx: \t- y\n  z\n---\nmetadata: {name: b}\n",
        "metadata: {name: a}\n---\n[1, 2\n---\nmetadata: {name: b}\n",
        "metadata: {name: a}\n---\n? {a: b}\n: c\n---\nmetadata: {name: b}\n",
        "metadata: {name: a}\n---\nx: !!python/object:os.system {}\n---\nmetadata: {name: b}\n",
        "metadata: {name: a}\n---\n42\n---\nmetadata: {name: b}\n",
        "metadata: {name: a}\n---\nx: &x [*x]\n---\nmetadata: {name: b}\n",
        '{"metadata": {"name": "a"}}\n{"metadata": {"na\n{"metadata": {"name": "b"}}\n',
        '{"metadata": {"name": "a"}}\n' + "[" * 5000 + '\n{"metadata": {"name": "b"}}\n',
        '{"metadata": {"name": "a"}}\nnull\n{"metadata": {"name": "b"}}\n',
    ],
    ids=[
        "an open bracket",
        "a bad escape",
        "half an object",
        "a tab",
        "an open list",
        "a key that is no scalar",
        "a tag that would run code",
        "a number",
        "a value that contains itself",
        "a broken line of JSON Lines",
        "a line nested too deep",
        "a line that is null",
    ],
)
def test_a_broken_document_does_not_hide_the_others(text: str, tmp_path: Path) -> None:
    assert names(text) == ["a", None, "b"]
    code, lines = run(tmp_path, text)
    assert code == 0
    assert list(lines[1]) == [*KEYS, "error"]
    assert lines[1]["error"]
    assert lines[1]["class"] == "unknown"


@pytest.mark.parametrize(
    ("data", "code", "lines"),
    [
        (b"", 2, 0),
        (b"# nothing\n---\n", 2, 0),
        (b"{", 2, 1),
        (b"\x00\x01\xff", 2, 1),
        (b"kind: 5\n", 0, 1),
        (b"just a word", 0, 1),
        (b'{"kind": "List", "items": []}', 2, 0),
        (b"\xef\xbb\xbfkind: Pod\n", 0, 1),
        (b'{"kind": "Pod", "spec": {"containers": "x"}, "metadata": []}', 0, 1),
    ],
    ids=[
        "an empty file",
        "only comments",
        "nothing readable",
        "bytes that are no text",
        "an odd object",
        "a word",
        "an empty list",
        "a byte-order mark",
        "wrong types",
    ],
)
def test_exit_code_is_2_only_where_nothing_could_be_read(
    data: bytes, code: int, lines: int, tmp_path: Path
) -> None:
    found, printed = run(tmp_path, data)
    assert (found, len(printed)) == (code, lines)


def test_a_missing_file_is_one_line_of_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestFileError, match="No such file") as caught:
        read(str(tmp_path / "missing"))
    assert caught.value.exit_code == 2


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "FILE_LIMIT", 1000)
    (tmp_path / "in").write_bytes(b"a" * 1001)
    with pytest.raises(ManifestFileError, match="more than"):
        read(str(tmp_path / "in"))


def _laughs(levels: int) -> str:
    lines = [
        f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]"
        for level in range(1, levels)
    ]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lines])


def _merges(levels: int) -> str:
    first = "a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(10)) + "}"
    lines = [
        f"a{level}: &a{level} {{<<: [" + ", ".join([f"*a{level - 1}"] * 10) + "]}"
        for level in range(1, levels)
    ]
    return "\n".join([first, *lines])


@pytest.mark.parametrize(
    "bomb",
    [_laughs(30), _merges(30), "x: &x y\nl: [" + "*x, " * 100_000 + "*x]", "[" * 200_000],
    ids=["aliases of aliases", "merges of merges", "a hundred thousand aliases", "brackets"],
)
def test_a_bomb_is_refused_within_a_second_and_the_next_document_read(bomb: str) -> None:
    start = time.perf_counter()
    first, second = documents(f"{bomb}\n---\nkind: Pod\n")
    assert time.perf_counter() - start < 5
    assert first.manifest is None
    assert first.error
    assert second.manifest == {"kind": "Pod"}


def test_a_table_names_each_object_and_its_reason(tmp_path: Path) -> None:
    (tmp_path / "in").write_text(f"{POD}---\n42\n")
    result = CliRunner().invoke(app, ["classify", "-f", str(tmp_path / "in")])
    assert result.exit_code == 0
    assert "Pod/a" in result.stdout
    assert "inference" in result.stdout


def test_standard_input_is_read_for_a_dash() -> None:
    result = CliRunner().invoke(app, ["classify", "-f", "-", "-o", "json"], input=POD)
    assert json.loads(result.stdout)["class"] == "inference"
