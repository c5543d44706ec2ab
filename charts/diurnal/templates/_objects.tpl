{{- /*
The objects are data: objects/ holds the files of manifests/, taken over by `make generate`. What is here changes
in them what values say, so that chart and manifests cannot drift apart.
*/ -}}

{{- define "diurnal.image" -}}
{{- $image := index .root.Values.images .part -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* An object with the labels of the release, in its namespace or in that of the workers. */ -}}
{{- define "diurnal.placed" -}}
{{- $places := dict "diurnal-system" .root.Release.Namespace "default" .namespace -}}
{{- $meta := .object.metadata -}}
{{- if $meta.namespace -}}
{{- $_ := set $meta "namespace" (get $places $meta.namespace) -}}
{{- else if .namespace -}}
{{- $_ := set $meta "namespace" .namespace -}}
{{- end -}}
{{- range .object.subjects -}}
{{- $_ := set . "namespace" (get $places .namespace) -}}
{{- end -}}
{{- $release := dict "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/managed-by" .root.Release.Service "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) -}}
{{- $_ := set $meta "labels" (merge $release (default dict $meta.labels)) -}}
---
{{ toYaml .object }}
{{ end -}}

{{- /* The operator's Deployment with what values say. */ -}}
{{- define "diurnal.deployed" -}}
{{- $values := .root.Values -}}
{{- $template := .object.spec.template -}}
{{- $pod := $template.spec -}}
{{- $container := first $pod.containers -}}
{{- $_ := set $container "image" (include "diurnal.image" (dict "root" .root "part" "operator")) -}}
{{- $_ := set $container "resources" $values.operator.resources -}}
{{- range $container.env -}}
{{- if eq .name "DIURNAL_WORKER_IMAGE" -}}
{{- $_ := set . "value" (include "diurnal.image" (dict "root" $.root "part" "worker")) -}}
{{- end -}}
{{- end -}}
{{- $more := dict -}}
{{- if $values.namespaces }}{{ $_ := set $more "DIURNAL_NAMESPACES" (join "," $values.namespaces) }}{{ end -}}
{{- if $values.emulator }}{{ $_ := set $more "PUBSUB_EMULATOR_HOST" $values.emulator }}{{ end -}}
{{- range $name, $value := merge $more $values.settings -}}
{{- $_ := set $container "env" (append $container.env (dict "name" $name "value" (toString $value))) -}}
{{- end -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- with index $values.operator $key }}{{ $_ := set $pod $key . }}{{ end -}}
{{- end -}}
{{- with $values.images.pullSecrets -}}
{{- $secrets := list -}}
{{- range . }}{{ $secrets = append $secrets (dict "name" .) }}{{ end -}}
{{- $_ := set $pod "imagePullSecrets" $secrets -}}
{{- end -}}
{{- $_ := set $template.metadata "annotations" (merge $values.operator.podAnnotations $template.metadata.annotations) -}}
{{- end -}}
