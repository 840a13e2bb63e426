{{- define "bursar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "bursar.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "bursar.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "bursar.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "bursar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bursar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bursar.labels" -}}
{{ include "bursar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "bursar.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bursar.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- /* The policies trust this account by name: never the one that all pods here run as. */}}
{{- required "serviceAccount.create=false needs serviceAccount.name: the admission policies trust the operator's account by its name" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* By this name the admission policies know the operator. */}}
{{- define "bursar.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "bursar.serviceAccountName" . }}
{{- end }}

{{- /* Not empty where the ledger is in PostgreSQL and not on a volume. */}}
{{- define "bursar.database" -}}
{{- if or .Values.ledger.url .Values.ledger.existingSecret.name -}}
PostgreSQL
{{- end -}}
{{- end }}

{{- /* Not empty where several replicas run: one leads by a Lease, and the Service finds it by a label. */}}
{{- define "bursar.replicated" -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- if not (include "bursar.database" .) -}}
{{- fail "replicaCount above 1 needs a ledger that all replicas reach: set ledger.url or ledger.existingSecret" -}}
{{- end -}}
replicated
{{- end -}}
{{- end }}

{{- /* The read API as the API server's service proxy calls it; RBAC's resourceNames spell it so. */}}
{{- define "bursar.proxiedService" -}}
http:{{ include "bursar.fullname" . }}:http
{{- end }}

{{- /* Where the command line finds the read API: NAMESPACE/http:SERVICE:PORT. */}}
{{- define "bursar.readApi" -}}
{{ .Release.Namespace }}/{{ include "bursar.proxiedService" . }}
{{- end }}

{{- /* Group and version in which mutating policies are served; empty where they are not. */}}
{{- define "bursar.servedMutatingApi" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1beta1
{{- end }}
{{- end }}

{{- /* The same, where they are wanted; empty where they are not. */}}
{{- define "bursar.mutatingApi" -}}
{{- if ne .Values.policies.stamping "Never" }}
{{- include "bursar.servedMutatingApi" . }}
{{- end }}
{{- end }}

{{- /* Not empty where pods are known to be stamped at birth: served is not yet enforced. */}}
{{- define "bursar.stamped" -}}
{{- $api := include "bursar.mutatingApi" . }}
{{- if and $api (or (hasSuffix "/v1" $api) (eq .Values.policies.stamping "Always")) -}}
true
{{- end }}
{{- end }}

{{- /* Not empty where verdicts are enforced. */}}
{{- define "bursar.enforced" -}}
{{- if eq .Values.enforcement.mode "Enforce" -}}
true
{{- end }}
{{- end }}

{{- /* What happens to pods that no budget could judge: an installation that observes refuses nothing. */}}
{{- define "bursar.refusal" -}}
{{- ternary "Deny" "Warn" (eq .Values.enforcement.mode "Enforce") }}
{{- end }}
