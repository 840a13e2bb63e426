"""The admission policies as templates of the chart: static but for what `placeholders` names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from bursar.admission import placeholders
from bursar.admission.manifests import Manifest, Policy, When
from bursar.admission.policies import all_policies

FOLDER = "charts/bursar/templates/policies"
NOTE = "{{- /* Made by hack/generate.py from operator/bursar/admission; edit that, not this. */}}\n"

CONDITIONS = {
    When.ALWAYS: "",
    When.MUTATING: ' (include "bursar.mutatingApi" .)',
    When.STAMPED: ' (include "bursar.stamped" .)',
    When.ENFORCED: ' (include "bursar.enforced" .)',
    When.ENFORCED_STAMPED: ' (include "bursar.enforced" .) (include "bursar.stamped" .)',
    When.ENFORCED_UNSTAMPED: ' (include "bursar.enforced" .) (not (include "bursar.stamped" .))',
}
_FILLED = {
    placeholders.OPERATOR: '{{ include "bursar.operatorUser" . }}',
    placeholders.RESOURCES: "{{ .Values.acceleratorResources | toJson }}",
    placeholders.MUTATING_API: '{{ include "bursar.mutatingApi" . }}',
    placeholders.REFUSAL: '{{ include "bursar.refusal" . }}',
}
_LABELS = '  labels:\n    {{- include "bursar.labels" . | nindent 4 }}\n'


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, and expressions as blocks in which no quote needs an escape."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    block = "\n" in value or len(value) > 60 or any(mark in value for mark in placeholders.ALL)
    block = block and value not in placeholders.ALL
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block else None)


_Dumper.add_representer(str, _text)


def templates() -> dict[str, str]:
    """One file a policy, or two where the pods may not be stamped at birth."""
    return {
        f"{FOLDER}/{name}.yaml": NOTE + "".join(_guarded(policies))
        for name, policies in all_policies().items()
    }


def _guarded(policies: Iterable[Policy]) -> Iterable[str]:
    for policy in policies:
        body = "---\n".join(_template(manifest) for manifest in policy.manifests)
        yield f"{{{{- if and .Values.policies.install{CONDITIONS[policy.when]} }}}}\n"
        yield f"---\n{body}{{{{- end }}}}\n"


def _template(manifest: Manifest) -> str:
    text = escape(_yaml(manifest))
    for placeholder, call in _FILLED.items():
        # The dumper quotes what begins with "@".
        text = text.replace(f"'{placeholder}'", call).replace(placeholder, call)
    head = f"  name: {manifest['metadata']['name']}\n"
    if text.count(head) != 1:
        raise ValueError(f"no one place for the labels of {manifest['metadata']['name']}")
    return text.replace(head, head + _LABELS)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def escape(text: str) -> str:
    """Keep Helm from taking CEL's braces for a template."""
    return text.replace("{{", "{{ `{{` }}")
