{{/*
What all pods share. Argument: root, own (nodeSelector, tolerations, priorityClassName), store (whether it mounts the store).
*/}}
{{- define "glaciolake.podSpec" -}}
serviceAccountName: {{ include "glaciolake.serviceAccountName" .root }}
# Nothing here talks to Kubernetes, and tasks are code that others send.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .root.Values.securityContext.runAsUser }}
  runAsGroup: {{ .root.Values.securityContext.runAsGroup }}
  fsGroup: {{ .root.Values.securityContext.fsGroup }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and .store (include "glaciolake.oneNode" .root) }}
# The volume can be on one node at a time. A pod elsewhere would hang in ContainerCreating until the others have ended; so
# they are put together, and where there is no room the scheduler says so.
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "glaciolake.storeLabel" .root | nindent 12 }}
{{- end }}
{{- end -}}

{{/* "true" where the store's volume can be on one node only, else empty. */}}
{{- define "glaciolake.oneNode" -}}
{{- if and (eq .Values.store.kind "pvc") (eq .Values.store.pvc.accessMode "ReadWriteOnce") -}}true{{- end -}}
{{- end -}}

{{/* Label of pods that mount the store; its value is the claim, so that releases that share one stay together too. */}}
{{- define "glaciolake.storeLabel" -}}
glaciolake/store: {{ include "glaciolake.claimName" . | trunc 63 | trimSuffix "-" | trimSuffix "." }}
{{- end -}}

{{- define "glaciolake.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Metadata of a pod. Argument: root, component, run, store. */}}
{{- define "glaciolake.podMetadata" -}}
labels:
  {{- $labels := include "glaciolake.labels" . | fromYaml }}
  {{- /* A new chart or app version changes the image; these two labels alone need not roll anything. */}}
  {{- $labels = omit $labels "helm.sh/chart" "app.kubernetes.io/managed-by" }}
  {{- if and .store (include "glaciolake.oneNode" .root) }}
  {{- $labels = merge $labels (include "glaciolake.storeLabel" .root | fromYaml) }}
  {{- end }}
  {{- toYaml (merge $labels .root.Values.podLabels) | nindent 2 }}
annotations:
  {{- include "glaciolake.checksums" . | nindent 2 }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
Variables of all pods. Argument: root, own (extraEnv).
*/}}
{{- define "glaciolake.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
# The root is read only: what keeps a cache (compiled kernels, fonts) keeps it below its home.
- name: HOME
  value: /tmp
{{- if .root.Values.tls.enabled }}
- name: DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION
  value: "True"
- name: DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME
  value: tls
- name: DASK_DISTRIBUTED__COMM__TLS__CA_FILE
  value: /etc/glaciolake/tls/ca.crt
{{- range $role := list "SCHEDULER" "WORKER" "CLIENT" }}
- name: DASK_DISTRIBUTED__COMM__TLS__{{ $role }}__CERT
  value: /etc/glaciolake/tls/tls.crt
- name: DASK_DISTRIBUTED__COMM__TLS__{{ $role }}__KEY
  value: /etc/glaciolake/tls/tls.key
{{- end }}
# Scheduler and workers answer HTTPS then, also to the probes.
- name: DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__TLS__CERT
  value: /etc/glaciolake/tls/tls.crt
- name: DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__TLS__KEY
  value: /etc/glaciolake/tls/tls.key
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- with .own.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Earthdata's login, for whoever reads scenes: workers, and jobs that search. A file, so that a new one arrives in mid-run. */}}
{{- define "glaciolake.earthdataEnv" -}}
{{- with .Values.earthdata }}
{{- if .existingSecret }}
- name: {{ ternary "NETRC" "EARTHDATA_TOKEN_FILE" (ne .netrcKey "") }}
  value: /etc/earthdata/{{ default .tokenKey .netrcKey }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Keys of the object store, for whoever reads or writes the store; workers do neither. */}}
{{- define "glaciolake.storeEnv" -}}
{{- if eq .Values.store.kind "s3" }}
{{- with .Values.store.s3 }}
- name: AWS_REGION
  value: {{ .region | quote }}
{{- with .endpoint }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .accessKeyIdKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretAccessKeyKey }}
{{- with .sessionTokenKey }}
- name: AWS_SESSION_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.store.s3.existingSecret }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Mounts. Argument: root, and true for each of run, scenes (extraMounts, Earthdata), store, storeReadOnly. */}}
{{- define "glaciolake.mounts" -}}
- name: tmp
  mountPath: /tmp
- name: scratch
  mountPath: /scratch
- name: dask
  mountPath: /etc/dask
  readOnly: true
{{- if .run }}
- name: run
  mountPath: /etc/glaciolake
  readOnly: true
{{- end }}
{{- if .root.Values.tls.enabled }}
# Inside the volume above, where there is one: the kubelet makes the folder in it.
- name: tls
  mountPath: /etc/glaciolake/tls
  readOnly: true
{{- end }}
{{- if and .scenes .root.Values.earthdata.existingSecret }}
- name: earthdata
  mountPath: /etc/earthdata
  readOnly: true
{{- end }}
{{- if and .store (eq .root.Values.store.kind "pvc") }}
- name: store
  mountPath: /data
  {{- if .storeReadOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- if .scenes }}
{{- range .root.Values.extraMounts }}
- name: {{ .name }}
  mountPath: {{ .path }}
  readOnly: {{ ternary .readOnly true (hasKey . "readOnly") }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Volumes of those mounts. Same argument, and spillSize. */}}
{{- define "glaciolake.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.tmpSize }}
- name: scratch
  emptyDir:
    sizeLimit: {{ default "1Gi" .spillSize }}
- name: dask
  configMap:
    name: {{ include "glaciolake.fullname" .root }}-dask
{{- if .run }}
- name: run
  configMap:
    name: {{ include "glaciolake.fullname" .root }}-run
{{- end }}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ .root.Values.tls.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- if and .scenes .root.Values.earthdata.existingSecret }}
- name: earthdata
  secret:
    secretName: {{ .root.Values.earthdata.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- if and .store (eq .root.Values.store.kind "pvc") }}
- name: store
  persistentVolumeClaim:
    claimName: {{ include "glaciolake.claimName" .root }}
{{- end }}
{{- if .scenes }}
{{- range .root.Values.extraMounts }}
- name: {{ .name }}
  {{- if .existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
  {{- else if .existingConfigMap }}
  configMap:
    name: {{ .existingConfigMap }}
  {{- else }}
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}
