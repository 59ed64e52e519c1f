{{/*
Rules between keys, which a schema cannot say. Each message names the keys, their values and what to do;
tests/helm/test_refusals.py holds every one word for word.
*/}}
{{- define "glaciolake.validate" -}}
{{- include "glaciolake.validateImage" . -}}
{{- include "glaciolake.validateStore" . -}}
{{- include "glaciolake.validateSecrets" . -}}
{{- include "glaciolake.validateWorkers" . -}}
{{- include "glaciolake.validateJobs" . -}}
{{- $name := include "glaciolake.fullname" . -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "objects would be called %s, %d characters, and the names of their pods would not fit; use a shorter release name, or set fullnameOverride to at most 40 characters" $name (len $name)) -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.validateImage" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty; build the image with `docker build -t REGISTRY/glaciolake:VERSION .`, push it, and set image.repository=REGISTRY/glaciolake" -}}
{{- end -}}
{{- $tags := dict "image.tag" .Values.image.tag "jupyter.image.tag" .Values.jupyter.image.tag -}}
{{- range $name, $group := include "glaciolake.groups" . | fromYaml -}}
{{- $_ := set $tags (printf "workerGroups.%s.image.tag" $name) $group.image.tag -}}
{{- end -}}
{{- range $key, $tag := $tags -}}
{{- if eq $tag "latest" -}}
{{- fail (printf "%s is latest, which is another image tomorrow, while client, scheduler and workers must be of one version; name a version, such as %s" $key $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.validateStore" -}}
{{- $store := .Values.store -}}
{{- if eq $store.kind "s3" -}}
{{- if not $store.s3.bucket -}}
{{- fail "store.kind is s3 and store.s3.bucket is empty; set store.s3.bucket to a bucket that exists" -}}
{{- end -}}
{{- if not $store.s3.existingSecret -}}
{{- fail (printf "store.kind is s3 and store.s3.existingSecret is empty; make one with `kubectl create secret generic store-keys --from-literal=%s=... --from-literal=%s=...` and set store.s3.existingSecret=store-keys" $store.s3.accessKeyIdKey $store.s3.secretAccessKeyKey) -}}
{{- end -}}
{{- if $store.pvc.existingClaim -}}
{{- fail (printf "store.kind is s3, but store.pvc.existingClaim is %s; a store lies in one place: empty it, or set store.kind=pvc" $store.pvc.existingClaim) -}}
{{- end -}}
{{- else if $store.s3.bucket -}}
{{- fail (printf "store.kind is pvc, but store.s3.bucket is %s; a store lies in one place: empty it, or set store.kind=s3" $store.s3.bucket) -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.validateSecrets" -}}
{{- if and .Values.tls.enabled (not .Values.tls.existingSecret) -}}
{{- fail "tls.enabled is true and tls.existingSecret is empty; have cert-manager make a Secret with ca.crt, tls.crt and tls.key, or `kubectl create secret generic dask-tls --from-file=ca.crt --from-file=tls.crt --from-file=tls.key`, and set tls.existingSecret=dask-tls" -}}
{{- end -}}
{{- if and .Values.tls.existingSecret (not .Values.tls.enabled) -}}
{{- fail (printf "tls.existingSecret is %s, but tls.enabled is false and nothing would be encrypted; set tls.enabled=true, or empty tls.existingSecret" .Values.tls.existingSecret) -}}
{{- end -}}
{{- if and .Values.jupyter.enabled (not .Values.jupyter.existingSecret) -}}
{{- fail (printf "jupyter.enabled is true and jupyter.existingSecret is empty; there is no default password: `kubectl create secret generic notebook --from-literal=%s=$(openssl rand -hex 32)` and set jupyter.existingSecret=notebook" .Values.jupyter.tokenKey) -}}
{{- end -}}
{{- range $env := concat .Values.extraEnv .Values.scheduler.extraEnv .Values.jobs.extraEnv .Values.workerDefaults.extraEnv -}}
{{- if and (hasKey $env "value") (regexMatch "(?i)(token|passw|secret|credential|access_?key)" $env.name) (not (hasSuffix "_FILE" $env.name)) -}}
{{- fail (printf "extraEnv gives %s as plain text, which everybody who may read pods would see; put it into a Secret and refer to it: valueFrom.secretKeyRef with name and key" $env.name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $own := .Values.workerGroups -}}
{{- range $env := default list (default dict $own).extraEnv -}}
{{- if and (hasKey $env "value") (regexMatch "(?i)(token|passw|secret|credential|access_?key)" $env.name) (not (hasSuffix "_FILE" $env.name)) -}}
{{- fail (printf "workerGroups.%s.extraEnv gives %s as plain text, which everybody who may read pods would see; put it into a Secret and refer to it: valueFrom.secretKeyRef with name and key" $name $env.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.validateWorkers" -}}
{{- $groups := include "glaciolake.groups" . | fromYaml -}}
{{- $workers := 0 -}}
{{- range $name, $group := $groups -}}
{{- $workers = add $workers (int $group.replicas) -}}
{{- $gpus := list -}}
{{- range $key, $n := $group.resources.limits -}}
{{- if hasPrefix "nvidia.com/" $key -}}{{- $gpus = append $gpus $key -}}{{- end -}}
{{- end -}}
{{- if and $group.gpu (not $gpus) -}}
{{- fail (printf "workerGroups.%s.gpu is true, but its resources.limits name no GPU, so its workers would get none; set workerGroups.%s.resources.limits.nvidia\\.com/gpu=1, or gpu: false" $name $name) -}}
{{- end -}}
{{- if and $gpus (not $group.gpu) -}}
{{- fail (printf "workerGroups.%s takes %s, but its gpu is false, so no task would use it; set workerGroups.%s.gpu=true, or take the limit away" $name (first $gpus) $name) -}}
{{- end -}}
{{- if and (gt (int $group.retireSeconds) 0) (lt (int $group.terminationGracePeriodSeconds) (add (int $group.retireSeconds) 30 | int)) -}}
{{- fail (printf "workerGroups.%s.retireSeconds is %d and its terminationGracePeriodSeconds %d; the pod would be killed before its worker has handed over what it holds: set terminationGracePeriodSeconds to at least %d" $name (int $group.retireSeconds) (int $group.terminationGracePeriodSeconds) (add (int $group.retireSeconds) 30 | int)) -}}
{{- end -}}
{{- if and $group.gpu $.Values.image.digest (not $.Values.image.cudaDigest) (not $group.image.tag) (not $group.image.digest) -}}
{{- fail (printf "image.digest pins the CPU image, and workerGroups.%s needs the CUDA one; set image.cudaDigest to its digest" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq (int $workers) 0 -}}
{{- fail "no worker group is enabled with replicas above 0, so a run would wait for workers in vain; set workerGroups.cpu.replicas to 1 or more" -}}
{{- end -}}
{{- end -}}

{{- define "glaciolake.validateJobs" -}}
{{- $ingest := .Values.ingest -}}
{{- if $ingest.enabled -}}
{{- if not (include "glaciolake.isCron" $ingest.schedule) -}}
{{- fail (printf "ingest.schedule %q is not a schedule of cron; give five fields, minute hour day month weekday, such as \"17 * * * *\" for every hour, or @hourly" $ingest.schedule) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.registry.geojson .Values.run.registry -}}
{{- fail (printf "registry.geojson and run.registry (%s) both name lakes; keep one of them" .Values.run.registry) -}}
{{- end -}}
{{- if and .Values.registry.geojson (gt (len .Values.registry.geojson) 900000) -}}
{{- fail (printf "registry.geojson has %d bytes and a ConfigMap holds less than 1 MiB; put the file on a volume, mount it with extraMounts and set run.registry to its path" (len .Values.registry.geojson)) -}}
{{- end -}}
{{- if and (eq .Values.store.kind "pvc") (eq .Values.store.pvc.accessMode "ReadWriteOncePod") .Values.jupyter.enabled -}}
{{- fail "store.pvc.accessMode is ReadWriteOncePod and jupyter.enabled is true; the notebook would keep the volume from the jobs for ever: set store.pvc.accessMode=ReadWriteOnce, or jupyter.enabled=false" -}}
{{- end -}}
{{- end -}}

{{/* "true" where a text is a schedule that Kubernetes reads (five fields, or @hourly and the like), else empty. */}}
{{- define "glaciolake.isCron" -}}
{{- $months := "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec" -}}
{{- $days := "sun|mon|tue|wed|thu|fri|sat" -}}
{{- $values := list "0?[0-9]|[1-5][0-9]" "0?[0-9]|1[0-9]|2[0-3]" "0?[1-9]|[12][0-9]|3[01]" (printf "0?[1-9]|1[0-2]|%s" $months) (printf "[0-6]|%s" $days) -}}
{{- $fields := regexSplit " +" . -1 -}}
{{- $good := eq (len $fields) 5 -}}
{{- if $good -}}
{{- range $i, $value := $values -}}
{{- $one := printf "(\\*|\\?|(%s)(-(%s))?)(/[1-9][0-9]?)?" $value $value -}}
{{- $good = and $good (regexMatch (printf "(?i)^%s(,%s)*$" $one $one) (index $fields $i)) -}}
{{- end -}}
{{- end -}}
{{- if or $good (regexMatch "^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$" .) -}}true{{- end -}}
{{- end -}}
