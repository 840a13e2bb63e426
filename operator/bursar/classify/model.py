"""The name of the AI model that a pod trains or serves.

Read from what the programs themselves read: arguments, environment, storage URIs and the images
of packaged models. Never guessed from free text: a value that is only a placeholder or a
reference that the pod does not resolve gives no name.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bursar.classify.texts import command, environment, mapping, mappings, scalar

LONGEST = 256
"""Characters of a model's name: longer ones are no names."""

_ARGUMENTS = (
    "model", "model-id", "model-path", "model-name-or-path", "pretrained-model-name-or-path",
    "base-model", "base-model-path", "model-name", "model-uri", "hf-model-id", "student-model",
    "served-model-name", "model-dir", "checkpoint-path",
)  # fmt: skip
_VARIABLES = (
    "MODEL_ID", "HF_MODEL_ID", "LLM_MODEL_ID", "BASE_MODEL", "MODEL_NAME_OR_PATH", "MODEL_NAME",
    "MODEL", "NIM_MODEL_NAME", "VLLM_MODEL", "OLLAMA_MODEL", "MODEL_PATH", "MODEL_URI",
    "STORAGE_URI", "NIM_SERVED_MODEL_NAME",
)  # fmt: skip
_OPTION = re.compile(r"--?([A-Za-z][\w.-]{0,60})(?:=(.*))?", re.DOTALL | re.ASCII)
_ASSIGNMENT = re.compile(r"(model|model_name|model_name_or_path)=(\S+)", re.ASCII)
_INLINE = re.compile(
    r"(?:--(?:model|model[-_](?:id|path|name[-_]or[-_]path)|base[-_]model)[= ]+|\bvllm serve )"
    r"[\"']?([\w./:$(){}-]{2,256})",
    re.ASCII,
)
_URI = re.compile(r"\b(?:hf|ollama|modelscope)://([\w./:-]{2,256})", re.ASCII)
_IMAGE = re.compile(r"/nim/([\w.-]+/[\w.-]+)", re.ASCII)
_REFERENCE = re.compile(r"\$[({]?(\w{1,64})[)}]?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9/][\w./:@+-]*", re.ASCII)


def model_name(pod: Mapping[str, Any]) -> str:
    """The model's name as it is written, empty where none is told.

    Args:
        pod: as the API writes it. The first container that names a model decides; arguments come
            before the environment, because programs let them.
    """
    for container in mappings(mapping(pod.get("spec")).get("containers")):
        variables = {k: v for k, v in environment(container) if v}
        for candidate in _candidates(container, variables):
            name = _resolved(candidate, variables)
            if name:
                return name
    return ""


def _candidates(container: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[str]:
    words = list(command(container))
    options = dict(reversed(list(_options(words))))
    yield from (options[key] for key in _ARGUMENTS if key in options)
    for word in words:
        match = _INLINE.search(word) if " " in word or "\n" in word else _ASSIGNMENT.fullmatch(word)
        if match:
            yield match.group(match.lastindex or 0)
    if "serve" in words[:3]:
        yield from words[words.index("serve") + 1 :][:1]
    yield from (variables[key] for key in _VARIABLES if key in variables)
    for text in (*words, *variables.values()):
        yield from (match.group(1) for match in _URI.finditer(text[:4096]))
    yield from (match.group(1) for match in _IMAGE.finditer(scalar(container.get("image"))))


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, be it `--key=value` or `--key value`."""
    for index, word in enumerate(words):
        match = _OPTION.fullmatch(word)
        if match is None:
            continue
        key, value = match.group(1).replace("_", "-"), match.group(2)
        if value is None and index + 1 < len(words):
            value = words[index + 1]
        if value:
            yield key, value


def _resolved(candidate: str, variables: Mapping[str, str]) -> str:
    """The candidate with a reference to the environment replaced; empty where it is no name."""
    text = candidate.strip().strip("\"'")
    reference = _REFERENCE.fullmatch(text)
    if reference:
        text = variables.get(reference.group(1), "").strip()
    uri = _URI.match(text)
    if uri:
        text = uri.group(1)
    return text if len(text) <= LONGEST and _NAME.fullmatch(text) else ""
