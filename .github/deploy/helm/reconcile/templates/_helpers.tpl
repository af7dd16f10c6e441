{{- define "reconcile.labels" -}}
app.kubernetes.io/name: reconcile
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "reconcile.selector" -}}
app.kubernetes.io/name: reconcile
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "reconcile.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* Not empty if there are several replicas, each with a volume of its own. */}}
{{- define "reconcile.isSet" -}}
{{- if and .Values.standby.enabled (gt (int .Values.shards) 1) }}
{{- fail "with standby.enabled, leave shards at 1, and install one release for each shard with environment.RECONCILE_SHARD" }}
{{- end }}
{{- if or .Values.standby.enabled (gt (int .Values.shards) 1) }}true{{ end }}
{{- end }}

{{- define "reconcile.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.persistence.storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests: {storage: {{ .Values.persistence.size }}}
{{- end }}
