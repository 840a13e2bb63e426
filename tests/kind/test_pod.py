"""The operator's pod as a kubelet runs it: probes, confinement, and what its image holds."""

from __future__ import annotations

import pytest

from support.deployed import NAMESPACE, Deployed, on_node, process_of
from support.product import Product

pytestmark = pytest.mark.kind

TOOLS = ("gcc", "cc", "c++", "g++", "clang", "make", "ld", "as", "pip", "pip3", "cargo", "go")
MODULES = ("pip", "setuptools", "wheel", "ensurepip", "pkg_resources")


def restarts(operator: Deployed) -> int:
    (status,) = operator.pod()["status"]["containerStatuses"]
    return int(status["restartCount"])


def in_pod(operator: Deployed, code: str) -> str:
    """What a line of Python prints in the operator's container."""
    name = operator.pod()["metadata"]["name"]
    return operator.kubectl("exec", name, "--", "python", "-c", code).strip()


def process_status(operator: Deployed) -> dict[str, str]:
    """The kernel's view of the operator's process."""
    pod = operator.pod()
    node = pod["spec"]["nodeName"]
    number = process_of(node, pod["status"]["containerStatuses"][0]["containerID"])
    lines = on_node(node, "cat", f"/proc/{number}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_all_three_probes_have_said_yes(operator_pod: Deployed) -> None:
    pod = operator_pod.pod()
    (container,) = pod["spec"]["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    (status,) = pod["status"]["containerStatuses"]
    assert status["started"] is True
    assert status["ready"] is True
    conditions = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert (operator_pod.status("/livez"), operator_pod.status("/readyz")) == (200, 200)


def test_an_operator_that_hangs_is_taken_out_of_service_and_started_again(
    product: Product, operator_pod: Deployed
) -> None:
    before = restarts(operator_pod)
    name = operator_pod.pod()["metadata"]["name"]
    pod = operator_pod.pod()
    node = pod["spec"]["nodeName"]
    number = process_of(node, pod["status"]["containerStatuses"][0]["containerID"])
    on_node(node, "kill", "-STOP", str(number))
    wait = product.sandbox.wait

    def ready() -> bool:
        return bool(operator_pod.pod()["status"]["containerStatuses"][0]["ready"])

    wait(lambda: not ready(), what="the hung operator out of service", timeout=60, every=1)
    wait(lambda: restarts(operator_pod) > before, what="its restart", timeout=180, every=1)
    wait(operator_pod.ready, what="it back in service", timeout=90, every=0.5)
    assert operator_pod.pod()["metadata"]["name"] == name, "a restart, not another pod"


def test_the_namespace_enforces_restricted_pods_and_takes_ours(
    product: Product, operator_pod: Deployed
) -> None:
    labels = product.sandbox.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    # What would be refused is warned of when the label is set.
    said = product.sandbox.kubectl(
        *("label", "namespace", NAMESPACE, "--overwrite", "--dry-run=server"),
        "pod-security.kubernetes.io/enforce=restricted",
    )
    assert said.stderr == ""
    assert operator_pod.ready()


def test_its_process_is_nobodys_and_can_gain_nothing(operator_pod: Deployed) -> None:
    status = process_status(operator_pod)
    assert set(status["Uid"].split()) == {"65532"}
    assert set(status["Gid"].split()) == {"65532"}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "a filter"
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}


def test_nothing_of_its_image_can_be_written(operator_pod: Deployed) -> None:
    code = """
import errno, pathlib, bursar
def answer(folder):
    try:
        pathlib.Path(folder, "x").write_text("x")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"
print([answer(f) for f in ("/", "/etc", pathlib.Path(bursar.__file__).parent)],
      [answer(f) for f in ("/tmp", "/var/lib/bursar")])
"""
    assert in_pod(operator_pod, code) == f"{['EROFS'] * 3} {['written'] * 2}"


def test_its_image_can_neither_compile_nor_install(operator_pod: Deployed) -> None:
    # Of the environment that the operator runs in, and of the interpreter below it.
    code = f"""
import subprocess, sys
ask = '''
import importlib.util, shutil
print([t for t in {TOOLS!r} if shutil.which(t)],
      [m for m in {MODULES!r} if importlib.util.find_spec(m)])
'''
for python in (sys.executable, sys._base_executable):
    print(subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True).stdout.strip())
"""
    assert in_pod(operator_pod, code).splitlines() == ["[] []"] * 2
