"""Bursar on a kind cluster: `make image`, `make kind-up`, `make kind-e2e`, `make kind-down`.

kind and docker come from PATH (`DOCKER_HOST` is honored), helm, kubectl and kwok from PATH or from
the sandbox's own builds. Variables: `KIND_NODE_IMAGE` (default: kind's own), `PYTHON_IMAGE`
(default: the Dockerfile's), `DOCKER_BUILD_FLAGS` (further flags for `docker build`). Everything
written goes to `build/kind`; nobody's own kubeconfig is touched. Each step can be repeated.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import bursar
import kind_steps as steps
from kind_steps import CLUSTER, KUBECONFIG, NAMESPACE, ROOT, WORK, StepFailed, get, kubectl, run

CHART = ROOT / "charts" / "bursar"
VALUES = ROOT / "hack" / "kind-values.yaml"
CONTROL_PLANE = f"{CLUSTER}-control-plane"
COUNT_LABEL = "nvidia.com/gpu.count"
OPERATOR = "app.kubernetes.io/name=bursar"
HOPELESS = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")
RESTRICTED = "pod-security.kubernetes.io/enforce"


def image(source: Path = ROOT, version: str = bursar.__version__) -> str:
    """Build the operator's image; returns its name, whose tag changes with its content."""
    docker = steps.need("docker", "it builds the image")
    steps.say(f"building the image bursar:{version}")
    flags = shlex.split(os.environ.get("DOCKER_BUILD_FLAGS", ""))
    base = os.environ.get("PYTHON_IMAGE")
    if base:
        flags += ["--build-arg", f"PYTHON_IMAGE={base}"]
    flags += ["--build-arg", f"VERSION={version}", "--build-arg", f"REVISION={_revision()}"]
    plain = f"bursar:{version}"
    file = str(ROOT / "operator" / "Dockerfile")
    run("building the image", docker, "build", "-t", plain, "-f", file, *flags, ".", cwd=source)
    inspected = run("reading the image", docker, "image", "inspect", "-f", "{{.Id}}", plain)
    name = f"{plain}-{inspected.strip().removeprefix('sha256:')[:12]}"
    run("naming the image", docker, "tag", plain, name)
    return name


def _revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def cluster() -> None:
    """Create the cluster where it is not there, and write its kubeconfig in any case."""
    kind = steps.kind()
    WORK.mkdir(parents=True, exist_ok=True)
    known = run("listing clusters", kind, "get", "clusters").split()
    if CLUSTER in known:
        steps.say(f"cluster {CLUSTER} is there")
        run("writing the kubeconfig", kind, "export", "kubeconfig", "--name", CLUSTER,
            "--kubeconfig", str(KUBECONFIG))  # fmt: skip
        return
    steps.say(f"creating cluster {CLUSTER}: a minute or two")
    argv = [kind, "create", "cluster", "--config", str(ROOT / "kind-config.yaml")]
    argv += ["--kubeconfig", str(KUBECONFIG), "--wait", "180s"]
    node_image = os.environ.get("KIND_NODE_IMAGE")
    run("creating the cluster", *argv, *(["--image", node_image] if node_image else []))


def gpus() -> None:
    """Give each GPU node the devices that its labels speak of."""
    nodes = [node for node in get("nodes", "-l", COUNT_LABEL)["items"] if not _fake(node)]
    for node in nodes:
        name, count = node["metadata"]["name"], node["metadata"]["labels"][COUNT_LABEL]
        patch = [
            {"op": "add", "path": f"/status/{part}/nvidia.com~1gpu", "value": count}
            for part in ("capacity", "allocatable")
        ]
        kubectl("patching GPUs into nodes", "patch", "node", name, "--subresource=status",
                "--type=json", "-p", json.dumps(patch))  # fmt: skip
        steps.say(f"node {name} has {count} GPUs")


def _fake(node: dict[str, Any]) -> bool:
    return "kwok.x-k8s.io/node" in node["metadata"].get("annotations", {})


def load(name: str) -> None:
    """Bring an image onto the node on which the operator runs."""
    steps.say(f"loading {name}")
    run("loading the image", steps.kind(), "load", "docker-image", name, "--name", CLUSTER,
        "--nodes", CONTROL_PLANE)  # fmt: skip


def deploy(name: str) -> None:
    """Install the chart, or upgrade to it, and wait until the operator is ready."""
    steps.say("installing the chart; enforcement is on")
    labels = {RESTRICTED: "restricted"}
    space = {"apiVersion": "v1", "kind": "Namespace"}
    metadata = {"name": NAMESPACE, "labels": labels}
    kubectl("making the namespace", "apply", "-f", "-",
            text=json.dumps({**space, "metadata": metadata}))  # fmt: skip
    _settle()
    tag = name.partition(":")[2]
    run("installing the chart", steps.helm(), "upgrade", "--install", "bursar", str(CHART),
        "--namespace", NAMESPACE, "--values", str(VALUES),
        "--set", f"image.tag={tag}")  # fmt: skip
    steps.say("waiting for the operator")
    steps.until(rolled_out, "the operator is rolled out", 300)
    steps.until(stamped, "the API server labels GPU pods", 60)


def _settle() -> None:
    """Take back what an interrupted helm has left half done, which it would wait for for ever."""
    listed = run(
        "looking at releases", steps.helm(), "list", "--all", "-n", NAMESPACE, "-o", "json"
    )
    for release in json.loads(listed):
        if release["name"] == "bursar" and release["status"].startswith("pending"):
            way = "uninstall" if release["status"] == "pending-install" else "rollback"
            run("taking back half a release", steps.helm(), way, "bursar", "-n", NAMESPACE)


def rolled_out() -> bool:
    """Whether the operator of the newest revision is ready, and no other is left.

    Raises:
        StepFailed: it never will be; says why.
    """
    found = get("deployment", "bursar", "-n", NAMESPACE)
    status, wanted = found["status"], found["spec"]["replicas"]
    pods = get("pods", "-n", NAMESPACE, "-l", OPERATOR)["items"]
    for pod in pods:
        for each in pod["status"].get("containerStatuses", []):
            reason = each["state"].get("waiting", {}).get("reason", "")
            if reason in HOPELESS:
                name = pod["metadata"]["name"]
                log = kubectl("reading the log", "logs", "-n", NAMESPACE, name, "--tail=20")
                last = [line for line in log.splitlines() if any(map(str.isalnum, line))]
                raise StepFailed(f"the operator does not start: {reason}: {(last or [''])[-1]}")
    return status.get("observedGeneration") == found["metadata"]["generation"] and status.get(
        "updatedReplicas"
    ) == status.get("readyReplicas") == wanted == len(pods)


def stamped() -> bool:
    """Whether the admission policies act yet, tried with a dry run."""
    limits = {"limits": {"nvidia.com/gpu": 1}}
    spec = {"containers": [{"name": "c", "image": "probe", "resources": limits}]}
    metadata = {"name": "bursar-probe", "namespace": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    labels = kubectl("trying a pod", "create", "--dry-run=server", "-f", "-",
                     "-o", "jsonpath={.metadata.labels}", text=json.dumps(pod))  # fmt: skip
    return "bursar.dev/" in labels


def up() -> str:
    """Everything, from nothing or from whatever is there; returns the image's name."""
    cluster()
    gpus()
    name = image()
    load(name)
    deploy(name)
    return name


def usage() -> str:
    """What to do with a cluster that is up."""
    service = f"/api/v1/namespaces/{NAMESPACE}/services/http:bursar:http/proxy"
    return f"""
The operator runs in namespace {NAMESPACE}; the cluster is reached with

  export KUBECONFIG={KUBECONFIG}
  kubectl get nodes -L node.kubernetes.io/instance-type
  kubectl get --raw {service}/api/v1/budgets
  {ROOT}/.venv/bin/bursar status

make kind-e2e runs the end-to-end tests on it, make kind-down deletes it."""


def e2e(arguments: list[str]) -> int:
    """Run the end-to-end tests with the operator as a Deployment; returns pytest's status."""
    name = up()
    env = {
        **os.environ,
        "KUBECONFIG_E2E": str(KUBECONFIG),
        "BURSAR_E2E_OPERATOR": "deployment",
        "BURSAR_E2E_IMAGE": name,
    }
    # What is slow brings a control plane of its own: nothing of this cluster would be tried.
    chosen = arguments or ["tests/e2e", "tests/kind", "-m", "not slow"]
    argv = [sys.executable, "-m", "pytest", *chosen]
    try:
        with steps.fake_fleet():
            return subprocess.run(argv, cwd=ROOT, env=env, check=False).returncode
    finally:
        deploy(name)


def down() -> None:
    """Delete the cluster and what was written of it."""
    kind = steps.kind()
    steps.end_kwok()
    run("deleting the cluster", kind, "delete", "cluster", "--name", CLUSTER,
        "--kubeconfig", str(KUBECONFIG))  # fmt: skip
    KUBECONFIG.unlink(missing_ok=True)
    steps.say(f"cluster {CLUSTER} is deleted")


def main(arguments: list[str]) -> int:
    """Do what is asked for."""
    match arguments:
        case ["image"]:
            print(image())
        case ["up"]:
            up()
            print(usage())
        case ["e2e", *rest]:
            return e2e(rest)
        case ["down"]:
            down()
        case _:
            raise StepFailed("one of image, up, e2e [pytest's arguments], down")
    return 0


if __name__ == "__main__":
    # Ended from outside, it tidies up as for Ctrl-C; which a shell's background job would ignore,
    # and all that it starts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except StepFailed as error:
        sys.exit(f"kind: {error}")
    except KeyboardInterrupt:
        sys.exit("kind: interrupted")
