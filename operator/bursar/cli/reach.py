"""Where the operator's read API is, and how it is reached.

In order: the URL that is named; the sandbox whose kubeconfig is in use; else the API server's
service proxy, by the kubeconfig's own credentials (see `proxied`), so that RBAC decides.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bursar.cli.server import Api, Where
from bursar.errors import BursarError


@contextmanager
def connected(where: Where) -> Iterator[Api]:
    """Find the read API.

    Raises:
        BursarError: it cannot be found; says how to name it.
    """
    url = where.server or (None if where.context else sandbox_url(where.kubeconfig))
    if url:
        from bursar.cli.direct import Direct

        yield Direct(url.rstrip("/"), _token(where))
        return
    if where.token_file:
        raise BursarError(
            "--token-file goes with --server: on the way through the API server your kubeconfig's "
            "own credentials count"
        )
    from bursar.cli.proxied import Proxied

    with Proxied(where.kubeconfig, where.context) as proxied:
        yield proxied


def sandbox_url(kubeconfig: Path | None) -> str | None:
    """The read API of the sandbox that a kubeconfig belongs to; None where it is no sandbox's.

    Raises:
        BursarError: the sandbox has no operator.
    """
    state = kubeconfig.parent / "state.json" if kubeconfig else None
    if kubeconfig is None or state is None or not state.is_file():
        return None
    try:
        found = json.loads(state.read_text("utf-8"))
        ours = Path(found["kubeconfig"]).samefile(kubeconfig) and found["processes"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not ours:
        return None
    url = (found.get("operator") or {}).get("url")
    if not url:
        raise BursarError(
            f"the sandbox in {state.parent} has no operator running: "
            f"start it with `bursar sandbox operator start --dir {state.parent}`"
        )
    return str(url)


def _token(where: Where) -> str | None:
    if where.token and where.token_file:
        raise BursarError("name --token or --token-file, not both")
    if where.token_file is None:
        token = where.token
    else:
        try:
            token = where.token_file.read_text("utf-8")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or "is no text"
            raise BursarError(f"--token-file {where.token_file}: {said}") from error
    token = (token or "").strip()
    if not all(32 < ord(character) < 127 for character in token):
        raise BursarError("the token holds characters that no token has")
    return token or None
