"""The table of workload kinds: how each is found, where its pod template is, how it is held.

A new kind is a new row here, not new code elsewhere.
"""

from dataclasses import dataclass
from enum import StrEnum


class HoldBy(StrEnum):
    """How a kind is kept from starting pods."""

    SUSPEND = "suspend"
    SCALE = "scale"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadKind:
    """One row.

    Attributes:
        group: API group, empty for the core.
        template: path to the pod template below the object (`*` steps over a list or a map's
            values); a Pod is its own template.
        hold: the way in which this kind waits.
        hold_path: the boolean to set for SUSPEND, the replica count for SCALE.
    """

    group: str
    version: str
    kind: str
    plural: str
    template: tuple[str, ...]
    hold: HoldBy
    hold_path: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """As an object writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _row(api_version: str, kind: str, plural: str, template: str, hold: str) -> WorkloadKind:
    group, _, version = api_version.rpartition("/")
    way, _, path = hold.partition(":")
    return WorkloadKind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        template=tuple(template.split(".")) if template else (),
        hold=HoldBy(way),
        hold_path=tuple(path.split(".")) if path else (),
    )


_TEMPLATE = "spec.template"
_SCALE = "scale:spec.replicas"
_SUSPEND = "suspend:spec.suspend"
_KUBEFLOW = "suspend:spec.runPolicy.suspend"

KINDS: tuple[WorkloadKind, ...] = (
    _row("v1", "Pod", "pods", "", "nothing"),
    _row("v1", "ReplicationController", "replicationcontrollers", _TEMPLATE, _SCALE),
    _row("batch/v1", "Job", "jobs", _TEMPLATE, _SUSPEND),
    _row("batch/v1", "CronJob", "cronjobs", "spec.jobTemplate.spec.template", _SUSPEND),
    _row("apps/v1", "Deployment", "deployments", _TEMPLATE, _SCALE),
    _row("apps/v1", "StatefulSet", "statefulsets", _TEMPLATE, _SCALE),
    _row("apps/v1", "ReplicaSet", "replicasets", _TEMPLATE, _SCALE),
    _row("apps/v1", "DaemonSet", "daemonsets", _TEMPLATE, "nothing"),
    _row("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets", "spec.replicatedJobs.*.template.spec.template", _SUSPEND),
    _row("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets", "spec.leaderWorkerTemplate.*", _SCALE),
    _row("kubeflow.org/v1", "PyTorchJob", "pytorchjobs", "spec.pytorchReplicaSpecs.*.template", _KUBEFLOW),
    _row("kubeflow.org/v1", "TFJob", "tfjobs", "spec.tfReplicaSpecs.*.template", _KUBEFLOW),
    _row("kubeflow.org/v1", "XGBoostJob", "xgboostjobs", "spec.xgbReplicaSpecs.*.template", _KUBEFLOW),
    _row("kubeflow.org/v1", "PaddleJob", "paddlejobs", "spec.paddleReplicaSpecs.*.template", _KUBEFLOW),
    _row("kubeflow.org/v1", "JAXJob", "jaxjobs", "spec.jaxReplicaSpecs.*.template", _KUBEFLOW),
    _row("kubeflow.org/v2beta1", "MPIJob", "mpijobs", "spec.mpiReplicaSpecs.*.template", _KUBEFLOW),
    _row("trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs", "spec.trainer", _SUSPEND),
    _row("kubeflow.org/v1", "Notebook", "notebooks", _TEMPLATE, "nothing"),
    _row("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", "spec.*", "nothing"),
    _row("ray.io/v1", "RayCluster", "rayclusters", "spec.workerGroupSpecs.*.template", _SUSPEND),
    _row("ray.io/v1", "RayJob", "rayjobs", "spec.rayClusterSpec.workerGroupSpecs.*.template", _SUSPEND),
    _row("ray.io/v1", "RayService", "rayservices", "spec.rayClusterConfig.workerGroupSpecs.*.template", "nothing"),
    _row("batch.volcano.sh/v1alpha1", "Job", "jobs", "spec.tasks.*.template", "nothing"),
    _row("argoproj.io/v1alpha1", "Workflow", "workflows", "spec.templates.*", _SUSPEND),
    _row("kueue.x-k8s.io/v1beta1", "Workload", "workloads", "spec.podSets.*.template", "nothing"),
)  # fmt: skip


def find_kind(api_version: str, kind: str) -> WorkloadKind | None:
    """Find the row for an object, whatever version of the group it is written in."""
    group = api_version.rpartition("/")[0]
    for row in KINDS:
        if row.kind == kind and row.group == group:
            return row
    return None
