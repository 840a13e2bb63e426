"""docs/reference/api.md: the read API, from the table of routes that the server itself reads."""

from __future__ import annotations

from collections.abc import Iterator

from bursar.runtime.answers.access import ALLOWED_SECONDS, DENIED_SECONDS
from bursar.runtime.http import PREFIX, ROUTES, Route
from bursar.runtime.http.server import ANSWER_SECONDS, LONGEST_TARGET

PATH = "docs/reference/api.md"

PROXY = "/api/v1/namespaces/bursar-system/services/http:bursar:http/proxy"

HEAD = f"""# Read API

Made by `hack/generate.py` from `operator/bursar/runtime/answers/routes.py`.

What the operator knows, as JSON over HTTP. All of it is for reading: `GET` and `HEAD`, nothing
else. Money and hours are decimal strings in full; moments are RFC 3339 in UTC. What cannot be told
is null, never 0. `bursar report`, `runs`, `models`, `nodes`, `queue` and `explain` print these
answers with `-o json`.

## How to reach it

From anywhere with a kubeconfig, through the API server, which asks RBAC for `get` on
`services/proxy` (ClusterRole `bursar-viewer`):

    kubectl get --raw {PROXY}{PREFIX}/report

From inside the cluster, or where the Service is exposed, with a token:

    curl -H "Authorization: Bearer $TOKEN" http://bursar.bursar-system:8080{PREFIX}/report

Where it is in a cluster stands on its CRDs, in the annotation `bursar.dev/read-api`
(`NAMESPACE/http:SERVICE:PORT`): the command line finds it there.

## Who sees what

A token is reviewed by the API server. Who may `get` `services/proxy` named `http:SERVICE:http` in
the operator's namespace sees all. Who may `get` `aibudgets.bursar.dev` in a namespace sees what is
that namespace's, and must name it: `?namespace=NAME`. An answer is believed for
{ALLOWED_SECONDS:.0f} s, a refusal for {DENIED_SECONDS:.0f} s.

A request without a token is served where it comes from an address that the setting `api_open_to`
holds, which is any unless it is set: what comes through the API server's proxy carries neither
token nor user, since RBAC has decided there. Whoever can reach the Service from a pod is such an
address, too: close it with the chart's `readApi.openTo`, or with its NetworkPolicy.

Metrics (`/metrics`) and probes (`/livez`, `/readyz`) are open to whoever reaches the Service.

## Errors

`{{"error": "one line that says what to do"}}`, with the status:

| status | when |
|---|---|
| 400 | a parameter is not known, is given twice, or does not fit: the line says what is legal |
| 401 | there is no token, or the API server does not accept it |
| 403 | a right is missing: the line names it |
| 404 | there is no such page, or no such object |
| 405 | another method than GET or HEAD |
| 414 | path and query have more than {LONGEST_TARGET} bytes |
| 503 | ledger or API server do not answer, or it would take more than {ANSWER_SECONDS:.0f} s |

Nothing is to be kept by caches (`Cache-Control: no-store`).

## Pages

"""


def reference() -> dict[str, str]:
    """The page, by its path."""
    table = "| page | tells |\n|---|---|\n" + "".join(
        f"| [`{PREFIX}{route.path}`](#{route.name}) | {route.summary} |\n" for route in ROUTES
    )
    parts = ["".join(_section(route)) for route in ROUTES]
    return {PATH: HEAD + table + "\n" + "\n".join(parts)}


def _section(route: Route) -> Iterator[str]:
    yield f"### {route.name}\n\n`GET {PREFIX}{route.path}`\n\n"
    yield f"{route.summary} Whose view it is: {route.scope.value}.\n\n"
    if route.parameters:
        yield "| parameter | takes | meaning |\n|---|---|---|\n"
        for each in route.parameters:
            yield f"| `{each.name}` | {each.legal} | {each.meaning} |\n"
        yield "\n"
    yield f"Answer: {route.answer}.\n"
