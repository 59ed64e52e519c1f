{{/* Rules between keys. Each says what is wrong and what to do; the tests hold the words. */}}
{{- define "glaciolake.validate" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: build the image with `docker build -t REGISTRY/glaciolake:VERSION .`, push it, and set image.repository=REGISTRY/glaciolake" -}}
{{- end -}}
{{- end -}}
