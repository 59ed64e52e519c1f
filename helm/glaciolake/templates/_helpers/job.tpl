{{/* Spec of a Job that runs the configuration. Argument: root, component, own (backoffLimit, activeDeadlineSeconds), args. */}}
{{- define "glaciolake.jobSpec" -}}
backoffLimit: {{ int .own.backoffLimit }}
{{- if gt (int .own.activeDeadlineSeconds) 0 }}
activeDeadlineSeconds: {{ int .own.activeDeadlineSeconds }}
{{- end }}
# What is committed stays: a pod that takes over goes on where the last one ended.
podFailurePolicy:
  rules:
    # A drained node is nobody's fault.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    # 2: the command itself is refused, as it will be the next time.
    - action: FailJob
      onExitCodes:
        containerName: run
        operator: In
        values: [2]
template:
  metadata:
    {{- include "glaciolake.podMetadata" (dict "root" .root "component" .component "run" true "store" true) | nindent 4 }}
  spec:
    {{- include "glaciolake.podSpec" (dict "root" .root "own" .root.Values.jobs "store" true) | nindent 4 }}
    restartPolicy: Never
    terminationGracePeriodSeconds: 60
    containers:
      - name: run
        image: {{ include "glaciolake.image" (dict "root" .root) | quote }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        args:
          {{- toYaml .args | nindent 10 }}
        env:
          {{- include "glaciolake.env" (dict "root" .root "own" .root.Values.jobs) | nindent 10 }}
          {{- include "glaciolake.earthdataEnv" .root | nindent 10 }}
          {{- include "glaciolake.storeEnv" .root | nindent 10 }}
        resources:
          {{- toYaml .root.Values.jobs.resources | nindent 10 }}
        securityContext:
          {{- include "glaciolake.containerSecurity" .root | nindent 10 }}
        volumeMounts:
          {{- include "glaciolake.mounts" (dict "root" .root "run" true "scenes" true "store" true) | nindent 10 }}
    volumes:
      {{- include "glaciolake.volumes" (dict "root" .root "run" true "scenes" true "store" true) | nindent 6 }}
{{- end -}}
