"""`bursar classify`: what manifests that nobody submitted yet would be called, and why."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from bursar.classify import DocumentVerdict, classify_document
from bursar.cli.manifests import Document, ManifestFileError, documents, read
from bursar.cli.output import Format, print_rows
from bursar.domain.classification import DecidedBy, WorkloadClass
from bursar.domain.unknown import Unknown
from bursar.domain.workload import AcceleratorRequest
from bursar.recognize.request import requests

Line = Mapping[str, Any]

_COLUMNS = {
    "object": "OBJECT",
    "class": "CLASS",
    "confidence": "SURE",
    "accelerators": "ASKS FOR",
    "because": "BECAUSE",
}
_SHOWN_REASONS = 2


def classify(file: str, output: Format = Format.TABLE) -> None:
    """Judge every document of a file.

    Args:
        file: a path, or `-` for standard input.
        output: JSON prints one object a line for each document, in order.

    Raises:
        ManifestFileError: exit code 2: the file, or every document in it, could not be read.
    """
    found = list(documents(read(file)))
    lines = [_line(document) for document in found]
    if output is Format.JSON:
        for line in lines:
            sys.stdout.write(json.dumps(line) + "\n")
    elif lines:
        print_rows([_row(line) for line in lines], _COLUMNS, output, lines)
    if not any(document.parsed for document in found):
        if not found:
            raise ManifestFileError(file, "no document in it")
        raise typer.Exit(2)


def _line(document: Document) -> Line:
    if document.manifest is None:
        return _error_line(document.error)
    return verdict_line(classify_document(document.manifest, requests))


def verdict_line(verdict: DocumentVerdict) -> Line:
    """The contracted object of one verdict: numbers of devices are decimal strings.

    A count that cannot be told is null; so is a share, which depends on the device that a node
    gives.
    """
    found = verdict.classification
    return {
        "apiVersion": verdict.api_version or None,
        "kind": verdict.kind or None,
        "namespace": verdict.namespace or None,
        "name": verdict.name or None,
        "accelerators": [_accelerator(one) for one in verdict.accelerators],
        "class": str(found.workload_class),
        "activity": found.activity,
        "confidence": found.confidence,
        "decidedBy": str(found.decided_by),
        "model": found.model or None,
        "evidence": [
            {
                "rule": item.rule,
                "class": str(item.workload_class),
                "weight": item.weight,
                "found": item.found,
            }
            for item in found.evidence
        ],
    }


def _accelerator(one: AcceleratorRequest) -> Line:
    count = None if isinstance(one.count, Unknown) else str(one.count.limit_denominator(1))
    return {"resource": one.resource, "count": count, "share": None}


def _error_line(error: str) -> Line:
    return {
        "apiVersion": None,
        "kind": None,
        "namespace": None,
        "name": None,
        "accelerators": [],
        "class": str(WorkloadClass.UNKNOWN),
        "activity": "",
        "confidence": 0.0,
        "decidedBy": str(DecidedBy.NONE),
        "model": None,
        "evidence": [],
        "error": error,
    }


def _row(line: Line) -> Line:
    """What a table shows of a line."""
    return {
        **line,
        "object": "/".join(filter(None, (line["kind"], line["name"]))) or "?",
        "accelerators": " ".join(
            f"{one['count'] or '?'} {one['resource']}" for one in line["accelerators"]
        ),
        "because": line.get("error") or "; ".join(_reasons(line)),
    }


def _reasons(line: Line) -> Iterator[str]:
    agreeing = [item for item in line["evidence"] if item["class"] == line["class"]]
    for item in agreeing[:_SHOWN_REASONS]:
        yield f"{item['rule']} ({' '.join(item['found'].split())[:60]})"
