{{/* The run configuration: what the user gave, with store and cluster of this release. */}}
{{- define "glaciolake.runConfig" -}}
{{- $cluster := dict
      "scheduler" (include "glaciolake.schedulerAddress" .)
      "gpu" (eq (include "glaciolake.anyGpu" .) "true")
      "connect_timeout_s" .Values.jobs.connectTimeoutSeconds
      "workers_timeout_s" .Values.jobs.workersTimeoutSeconds -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $cluster "tls_ca_file" "/etc/glaciolake/tls/ca.crt" -}}
{{- $_ := set $cluster "tls_cert_file" "/etc/glaciolake/tls/tls.crt" -}}
{{- $_ := set $cluster "tls_key_file" "/etc/glaciolake/tls/tls.key" -}}
{{- end -}}
{{- $own := dict "store" (include "glaciolake.storeUrl" .) "cluster" $cluster -}}
{{- if .Values.registry.geojson -}}
{{- $_ := set $own "registry" "/etc/glaciolake/lakes.geojson" -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.run) $own | toYaml -}}
{{- end -}}

{{/*
Dask's settings. Without the dashboard the scheduler still answers /health, which the probes ask, and little else:
whoever reaches its other pages sees keys and code of all tasks.
*/}}
{{- define "glaciolake.daskConfig" -}}
{{- $routes := list "distributed.http.health" -}}
{{- if .Values.scheduler.dashboard -}}
{{- $routes = concat $routes (list "distributed.http.scheduler.info" "distributed.http.scheduler.json" "distributed.http.proxy" "distributed.http.statics") -}}
{{- end -}}
{{- if or .Values.scheduler.dashboard .Values.metrics.serviceMonitor.enabled -}}
{{- $routes = append $routes "distributed.http.scheduler.prometheus" -}}
{{- end -}}
{{- if .Values.scheduler.api -}}
{{- $routes = append $routes "distributed.http.scheduler.api" -}}
{{- end -}}
temporary-directory: /scratch
distributed:
  scheduler:
    # A task whose worker ends is done again elsewhere. Each end counts, drains and upgrades too.
    allowed-failures: {{ .Values.scheduler.allowedFailures }}
    http:
      routes: {{ toJson $routes }}
  worker:
    http:
      routes: ["distributed.http.health"]
{{- end -}}

{{/* Checksums of what a pod mounts: a change rolls it. Argument: root, run (whether it mounts the run configuration). */}}
{{- define "glaciolake.checksums" -}}
checksum/dask: {{ include "glaciolake.daskConfig" .root | sha256sum }}
{{- if .run }}
checksum/run: {{ printf "%s%s" (include "glaciolake.runConfig" .root) .root.Values.registry.geojson | sha256sum }}
{{- end }}
{{- end -}}
