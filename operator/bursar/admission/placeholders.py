"""The few places in a policy that an installation decides, and how they are filled in.

A manifest carries a placeholder as part of a string. The chart's generator turns each into a call
of a named template; `fill` puts values there for whoever wants the manifests without Helm. Nothing
else in a policy depends on the installation.
"""

from collections.abc import Mapping
from typing import Any

OPERATOR = "@OPERATOR@"
"""The operator's user name, inside a CEL string literal."""
RESOURCES = "@RESOURCES@"
"""CEL list of further resource names that are accelerators (chart value `acceleratorResources`)."""
MUTATING_API = "@MUTATING_API@"
"""Group and version in which the cluster serves mutating policies."""
REFUSAL = "@REFUSAL@"
"""`Deny`, or `Warn` where this installation only observes."""
PROXIED_SERVICE = "@PROXIED_SERVICE@"
"""The read API's Service as the API server's proxy spells it; in roles only."""
FULLNAME = "@FULLNAME@"
"""The release's full name, also the Lease's; in roles only."""

ALL = (OPERATOR, RESOURCES, MUTATING_API, REFUSAL)
"""Those of policies."""


def fill(manifest: Any, values: Mapping[str, str]) -> Any:
    """The same manifest with values in place of placeholders, in keys' values at any depth."""
    match manifest:
        case dict():
            return {key: fill(value, values) for key, value in manifest.items()}
        case list():
            return [fill(value, values) for value in manifest]
        case str():
            for placeholder, value in values.items():
                manifest = manifest.replace(placeholder, value)
            return manifest
        case _:
            return manifest
