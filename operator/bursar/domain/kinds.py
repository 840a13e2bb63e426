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
            values); a Pod is its own template. Some kinds hold a bare pod spec or container there.
        more_templates: paths of further roles (a Ray cluster's head beside its workers).
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
    more_templates: tuple[tuple[str, ...], ...] = ()

    @property
    def api_version(self) -> str:
        """As an object writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _row(api_version: str, kind: str, plural: str, template: str, hold: str) -> WorkloadKind:
    group, _, version = api_version.rpartition("/")
    way, _, path = hold.partition(":")
    first, *more = (tuple(one.split(".")) if one else () for one in template.split("|"))
    return WorkloadKind(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        template=first,
        hold=HoldBy(way),
        hold_path=tuple(path.split(".")) if path else (),
        more_templates=tuple(more),
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
    _row("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", "spec.predictor|spec.transformer|spec.explainer", "nothing"),
    _row("ray.io/v1", "RayCluster", "rayclusters", "spec.workerGroupSpecs.*.template|spec.headGroupSpec.template", _SUSPEND),
    _row("ray.io/v1", "RayJob", "rayjobs", "spec.rayClusterSpec.workerGroupSpecs.*.template|spec.rayClusterSpec.headGroupSpec.template", _SUSPEND),
    _row("ray.io/v1", "RayService", "rayservices", "spec.rayClusterConfig.workerGroupSpecs.*.template|spec.rayClusterConfig.headGroupSpec.template", "nothing"),
    _row("serving.kubeflow.org/v1beta1", "InferenceService", "inferenceservices", "spec.predictor|spec.transformer|spec.default.predictor", "nothing"),
    _row("serving.kserve.io/v1alpha1", "LLMInferenceService", "llminferenceservices", "spec.template|spec.worker|spec.prefill.template", "nothing"),
    _row("serving.knative.dev/v1", "Service", "services", _TEMPLATE, "nothing"),
    _row("trainer.kubeflow.org/v1alpha1", "TrainingRuntime", "trainingruntimes", "spec.template.spec.replicatedJobs.*.template.spec.template", "nothing"),
    _row("trainer.kubeflow.org/v1alpha1", "ClusterTrainingRuntime", "clustertrainingruntimes", "spec.template.spec.replicatedJobs.*.template.spec.template", "nothing"),
    _row("batch.paddlepaddle.org/v1", "PaddleJob", "paddlejobs", "spec.worker.template|spec.ps.template", "nothing"),
    _row("elastic.pytorch.org/v1alpha1", "ElasticJob", "elasticjobs", "spec.replicaSpecs.*.template", "nothing"),
    _row("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "hyperpodpytorchjobs", "spec.replicaSpecs.*.template", "nothing"),
    _row("training.volcano.sh/v1alpha1", "HyperJob", "hyperjobs", "spec.replicatedJobs.*.templateSpec.tasks.*.template", "nothing"),
    _row("kaito.sh/v1beta1", "Workspace", "workspaces", "inference.template", "nothing"),
    _row("kaito.sh/v1beta1", "InferenceSet", "inferencesets", "spec.template.inference.template", "nothing"),
    _row("kaito.sh/v1beta1", "RAGEngine", "ragengines", _TEMPLATE, "nothing"),
    _row("kubeai.org/v1", "Model", "models", "spec", "nothing"),
    _row("apps.nvidia.com/v1alpha1", "NIMService", "nimservices", "spec", "nothing"),
    _row("nvidia.com/v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", "spec.services.*|spec.components.*.podTemplate", "nothing"),
    _row("nvidia.com/v1alpha1", "DynamoComponentDeployment", "dynamocomponentdeployments", "spec|spec.podTemplate", "nothing"),
    _row("mlops.seldon.io/v1alpha1", "Server", "servers", "spec.podSpec", "nothing"),
    _row("machinelearning.seldon.io/v1", "SeldonDeployment", "seldondeployments", "spec.predictors.*.componentSpecs.*", "nothing"),
    _row("inference.networking.x-k8s.io/v1alpha2", "InferenceModel", "inferencemodels", "spec", "nothing"),
    _row("batch.volcano.sh/v1alpha1", "Job", "jobs", "spec.tasks.*.template", "nothing"),
    _row("argoproj.io/v1alpha1", "Workflow", "workflows", "spec.templates.*", _SUSPEND),
    _row("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates", "spec.templates.*", "nothing"),
    _row("argoproj.io/v1alpha1", "CronWorkflow", "cronworkflows", "spec.workflowSpec.templates.*", _SUSPEND),
    _row("kueue.x-k8s.io/v1beta1", "Workload", "workloads", "spec.podSets.*.template", "nothing"),
)  # fmt: skip


def find_kind(api_version: str, kind: str) -> WorkloadKind | None:
    """Find the row for an object, whatever version of the group it is written in."""
    group = api_version.rpartition("/")[0]
    for row in KINDS:
        if row.kind == kind and row.group == group:
            return row
    return None
