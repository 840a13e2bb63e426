"""The CustomResourceDefinitions: plain ones in `crds/`, and the same as the chart's templates."""

from __future__ import annotations

from typing import Any

import yaml

from bursar.api import crd

NOTE = "# Made by hack/generate.py from operator/bursar/api; edit the models, not this file.\n"
KEEP = {"helm.sh/resource-policy": "keep"}


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
    """The same bodies as templates of the chart.

    Uninstalling the chart keeps them: with a definition go all its objects.
    """
    files = {}
    for resource in crd.RESOURCES:
        manifest = crd.manifest(resource)
        manifest["metadata"] = {**manifest["metadata"], "annotations": dict(KEEP)}
        files[f"charts/bursar/templates/crds/{resource.PLURAL}.yaml"] = (
            f"{NOTE}{{{{- if .Values.crds.install }}}}\n{escape(_yaml(manifest))}{{{{- end }}}}\n"
        )
    return files


def escape(text: str) -> str:
    """Keep Helm from taking braces in a description for a template."""
    return text.replace("{{", "{{ `{{` }}")
