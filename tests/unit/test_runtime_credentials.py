"""What kubeconfigs say of how to reach a cluster, those that say it oddly too."""

import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from bursar.errors import BursarError
from bursar.runtime.cluster.credentials import load_credentials

SERVER = {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}


def kubeconfig(path: Path, user: dict[str, Any], **cluster: Any) -> Path:
    """A kubeconfig of one context, `here`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {**SERVER, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def plugin(path: Path, body: str) -> dict[str, Any]:
    """A user whose credentials a program gives."""
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(path), "interactiveMode": "Never"}}


TOKEN = (
    """echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential","""
    """ "status": {"token": "from-plugin"}}'"""
)


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("kubernetes.aio.config").setLevel(logging.NOTSET)


async def test_a_token(tmp_path: Path) -> None:
    found = await load_credentials(kubeconfig(tmp_path / "k", {"token": "abc"}))
    assert (found.server, found.scheme, found.token) == (SERVER["server"], "Bearer", "abc")


async def test_a_token_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("abc\n", "utf-8")
    found = await load_credentials(
        kubeconfig(tmp_path / "k", {"tokenFile": str(tmp_path / "t")}), "here"
    )
    assert found.token == "abc"


async def test_a_password(tmp_path: Path) -> None:
    found = await load_credentials(kubeconfig(tmp_path / "k", {"username": "a", "password": "b"}))
    assert (found.scheme, found.token) == ("Basic", "YTpi")


async def test_a_plugin(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", plugin(tmp_path / "p", TOKEN))
    assert (await load_credentials(path)).token == "from-plugin"


async def test_a_plugin_that_fails_is_told_of_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = kubeconfig(tmp_path / "k", plugin(tmp_path / "p", "echo 'log in first' >&2; exit 1"))
    assert (await load_credentials(path)).token == ""
    (record,) = caplog.records
    assert "log in first" in record.getMessage()
    assert "\n" not in record.getMessage()


async def test_a_name_and_a_proxy_of_the_server(tmp_path: Path) -> None:
    more = {"tls-server-name": "kubernetes", "proxy-url": "http://127.0.0.1:3128"}
    found = await load_credentials(kubeconfig(tmp_path / "k", {}, **more))
    assert (found.tls_server_name, found.proxy) == ("kubernetes", "http://127.0.0.1:3128")


async def test_several_files_in_one(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text("apiVersion: v1\nkind: Config\n", "utf-8")
    second = kubeconfig(tmp_path / "k", {"token": "abc"})
    found = await load_credentials(Path(f"{first}{os.pathsep}{second}"), "here")
    assert found.token == "abc"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no YAML"),
        pytest.param("[]", id="a list"),
        pytest.param("clusters: 3", id="no clusters"),
        pytest.param("current-context: here\ncontexts: []", id="no such context"),
        pytest.param("\x00\x01", id="bytes"),
    ],
)
async def test_what_is_no_kubeconfig_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text, "utf-8")
    with pytest.raises(BursarError) as found:
        await load_credentials(path)
    assert str(path) in str(found.value)
    assert "\n" not in str(found.value)


async def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BursarError, match="mars"):
        await load_credentials(kubeconfig(tmp_path / "k", {}), "mars")


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BursarError, match="there is no kubeconfig"):
        await load_credentials(tmp_path / "none")
