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
