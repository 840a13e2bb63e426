"""The CustomResourceDefinitions, made from the models.

Kubernetes takes only *structural* schemas: no references, one type a field, no alternatives.
pydantic writes references and `anyOf` with null, so this folds them in. Knows nothing of files.

    Resource  -- pydantic -->  JSON schema  -- structural() -->  OpenAPI v3  -- manifest() -->  CRD
"""

from collections.abc import Mapping
from typing import Any

from bursar.api.aibudget import AIBudget, ClusterAIBudget
from bursar.api.aimodel import AIModel
from bursar.api.classificationpolicy import ClassificationPolicy
from bursar.api.common import Resource
from bursar.api.meta import CATEGORIES, GROUP, VERSION
from bursar.api.pricebook import PriceBook
from bursar.api.verdict import BudgetVerdict, ClusterBudgetVerdict

RESOURCES: tuple[type[Resource], ...] = (
    AIBudget,
    ClusterAIBudget,
    PriceBook,
    ClassificationPolicy,
    AIModel,
    BudgetVerdict,
    ClusterBudgetVerdict,
)
"""All our kinds."""

_NOT_STRUCTURAL = ("title", "propertyNames", "const")
_FIRST = ("description", "type")

_ENVELOPE = {
    "apiVersion": {
        "type": "string",
        "description": "Version of the schema that this object is written in.",
    },
    "kind": {"type": "string", "description": "Kind of this object."},
    "metadata": {"type": "object"},
}

Schema = dict[str, Any]


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Fold one of pydantic's schemas into what Kubernetes accepts.

    Args:
        schema: the schema, or a part of one.
        definitions: what its references point to, by name.

    Returns:
        A schema without references, alternatives, titles and empty defaults.
    """
    merged = _merge(schema, definitions)
    if "const" in merged:
        merged["enum"] = [merged["const"]]
    if merged.get("x-kubernetes-int-or-string"):
        merged.pop("type", None)
    result = {key: merged[key] for key in _FIRST if key in merged} | {
        key: value for key, value in merged.items() if key not in _NOT_STRUCTURAL
    }
    if "default" in result and result["default"] in (None, [], {}, False):
        del result["default"]
    if isinstance(result.get("description"), str):
        result["description"] = " ".join(result["description"].split())
    if "properties" in result:
        result["properties"] = {
            name: structural(each, definitions) for name, each in result["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), Mapping):
            result[key] = structural(result[key], definitions)
    return result


def _merge(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Resolve a reference or an optional; what stands beside it wins over what it points to."""
    own = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}
    target: Mapping[str, Any] = {}
    if "$ref" in schema:
        target = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
    elif "anyOf" in schema:
        (target,) = (each for each in schema["anyOf"] if each.get("type") != "null")
    if not target:
        return own
    base = _merge(target, definitions)
    rules = [*base.get("x-kubernetes-validations", ()), *own.get("x-kubernetes-validations", ())]
    return {**base, **own, **({"x-kubernetes-validations": rules} if rules else {})}


def schema_of(resource: type[Resource]) -> Schema:
    """Return a kind's structural OpenAPI v3 schema."""
    raw = resource.model_json_schema(by_alias=True)
    schema = structural(raw, raw.get("$defs", {}))
    schema.pop("$defs", None)
    own = {name: each for name, each in schema["properties"].items() if name != "metadata"}
    return {**schema, "properties": {**_ENVELOPE, **own}}


def manifest(resource: type[Resource]) -> dict[str, Any]:
    """Return a kind's CustomResourceDefinition."""
    schema = schema_of(resource)
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [dict(each) for each in resource.COLUMNS],
        "schema": {"openAPIV3Schema": schema},
    }
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    names: dict[str, Any] = {
        "kind": resource.KIND,
        "listKind": f"{resource.KIND}List",
        "plural": resource.PLURAL,
        "singular": resource.KIND.lower(),
        "categories": list(CATEGORIES),
    }
    if resource.SHORT_NAMES:
        names["shortNames"] = list(resource.SHORT_NAMES)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if resource.NAMESPACED else "Cluster",
            "versions": [version],
        },
    }
