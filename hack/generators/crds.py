"""The CustomResourceDefinitions: plain ones in `crds/`, and the same as the chart's templates."""

from __future__ import annotations

from typing import Any

import yaml

from bursar.api import crd, meta

NOTE = "# Made by hack/generate.py from operator/bursar/api; edit the models, not this file.\n"
READ_API = '{{ include "bursar.readApi" . | quote }}'
_ANNOTATIONS = f"""\
  annotations:
    helm.sh/resource-policy: keep
    {meta.ANNOTATION_READ_API}: {READ_API}
"""


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: people read these files."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def plain() -> dict[str, str]:
    """One file a kind, for `kubectl apply -f crds/`."""
    return {
        f"crds/{resource.PLURAL}.yaml": NOTE + _yaml(crd.manifest(resource))
        for resource in crd.RESOURCES
    }


def templates() -> dict[str, str]:
    """The same bodies as templates of the chart, each with two annotations before all else.

    Uninstalling the chart keeps them: with a definition go all its objects. And each tells whoever
    has nothing but a kubeconfig where the operator answers.
    """
    return {
        f"charts/bursar/templates/crds/{resource.PLURAL}.yaml": (
            f"{NOTE}{{{{- if .Values.crds.install }}}}\n"
            f"{annotated(escape(_yaml(crd.manifest(resource))))}{{{{- end }}}}\n"
        )
        for resource in crd.RESOURCES
    }


def annotated(text: str) -> str:
    """Put the annotations under the name of a definition that has none of its own."""
    head, name, rest = text.partition("\nmetadata:\n  name: ")
    line, end, rest = rest.partition("\n")
    if not name or rest.startswith("  annotations:"):
        raise ValueError("no place for the annotations of a CustomResourceDefinition")
    return f"{head}{name}{line}{end}{_ANNOTATIONS}{rest}"


def escape(text: str) -> str:
    """Keep Helm from taking braces in a description for a template."""
    return text.replace("{{", "{{ `{{` }}")
