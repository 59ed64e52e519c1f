{{/* Worker groups that are switched on, each completed by workerDefaults, as YAML: name to settings. */}}
{{- define "glaciolake.groups" -}}
{{- $groups := dict -}}
{{- range $name, $own := .Values.workerGroups -}}
{{- $group := mergeOverwrite (deepCopy $.Values.workerDefaults) (deepCopy (default dict $own)) -}}
{{- if $group.enabled -}}{{- $_ := set $groups $name $group -}}{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end -}}

{{/* "true" where some worker that is switched on has a GPU, else empty. */}}
{{- define "glaciolake.anyGpu" -}}
{{- $any := "" -}}
{{- range $name, $group := include "glaciolake.groups" . | fromYaml -}}
{{- if and $group.gpu (gt (int $group.replicas) 0) -}}{{- $any = "true" -}}{{- end -}}
{{- end -}}
{{- $any -}}
{{- end -}}
