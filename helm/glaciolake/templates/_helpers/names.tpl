{{/* Name of every object: the release, with the chart's name unless it is in it already. */}}
{{- define "glaciolake.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels by which a workload finds its pods; they may never change. Argument: root, component. */}}
{{- define "glaciolake.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object. Argument: root, component. */}}
{{- define "glaciolake.labels" -}}
{{ include "glaciolake.selectorLabels" . }}
app.kubernetes.io/part-of: glaciolake
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "glaciolake.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "glaciolake.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.scheme" -}}
{{- ternary "tls" "tcp" .Values.tls.enabled -}}
{{- end -}}

{{/* Address of the scheduler inside the cluster. */}}
{{- define "glaciolake.schedulerAddress" -}}
{{- printf "%s://%s-scheduler:8786" (include "glaciolake.scheme" .) (include "glaciolake.fullname" .) -}}
{{- end -}}

{{/* Where the store lies, as a run sees it. */}}
{{- define "glaciolake.storeUrl" -}}
{{- if eq .Values.store.kind "s3" -}}
{{- printf "s3://%s/%s" .Values.store.s3.bucket .Values.store.s3.prefix -}}
{{- else -}}
{{- printf "/data/%s" .Values.store.name -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.claimName" -}}
{{- default (printf "%s-store" (include "glaciolake.fullname" .)) .Values.store.pvc.existingClaim -}}
{{- end -}}

{{/* Reference of an image. Argument: root, own (keys that win), gpu. */}}
{{- define "glaciolake.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := default dict .own -}}
{{- $repository := default $image.repository $own.repository -}}
{{- $digest := default (ternary $image.cudaDigest $image.digest (default false .gpu)) $own.digest -}}
{{- $tag := default .root.Chart.AppVersion $image.tag -}}
{{- if .gpu -}}{{- $tag = printf "%s%s" $tag $image.cudaSuffix -}}{{- end -}}
{{- $tag = default $tag $own.tag -}}
{{- if and $digest (not $own.tag) -}}
{{- printf "%s@%s" $repository $digest -}}
{{- else -}}
{{- printf "%s:%s" $repository $tag -}}
{{- end -}}
{{- end -}}
