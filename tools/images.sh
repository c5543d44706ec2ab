#!/bin/sh
# Builds, pushes and installs the images of worker and operator; `make images push install` calls it.
#   tools/images.sh build       both images, with the version of pyproject.toml as their tag
#   tools/images.sh push        to REGISTRY; without one, into the nodes of the cluster that kubectl talks to
#   tools/images.sh render      out/install.yaml: manifests/install.yaml with what was pushed, by digest
#   tools/images.sh install     render, then kubectl apply
# REGISTRY    where to push, such as europe-docker.pkg.dev/PROJECT_ID/diurnal
# BUILDER     docker, podman or buildah; the first of them that works here, if it is not said
# BASE_IMAGE  another base than the one that the Dockerfiles pin
# BUILD_FLAGS more options for the builder's build command; PUSH_FLAGS for its push command
# LOAD        a command that takes an archive of an image into the cluster's nodes; for kind it is known
# A proxy's certificates and a pip.conf of this machine are lent to the build and stay out of the images.
set -eu
cd "$(dirname "$0")/.."

parts='worker operator'
kept=out/images
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
prefix=${REGISTRY:-localhost}
prefix=${prefix%/}

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "images: $*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# The builder that was asked for, or the first that can build here: a docker without its daemon cannot.
builder() {
    if [ -n "${BUILDER:-}" ]; then
        has "$BUILDER" || fail "$BUILDER is not on the PATH"
        echo "$BUILDER"
    elif has docker && docker info >/dev/null 2>&1; then
        echo docker
    elif has podman; then
        echo podman
    elif has buildah; then
        echo buildah
    else
        fail "none of docker (with its daemon), podman and buildah is here; one of them builds the images"
    fi
}

# What pip needs behind a proxy or with an index of one's own.
secrets() {
    certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    if [ -f "$certificates" ]; then echo "--secret id=ca,src=$certificates"; fi
    for place in "${PIP_CONFIG_FILE:-}" "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf; do
        if [ -n "$place" ] && [ -f "$place" ]; then
            echo "--secret id=pip,src=$place"
            return
        fi
    done
}

build() {
    with=$(builder)
    revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
    for part in $parts; do
        say "images: $prefix/diurnal-$part:$version with $with"
        # shellcheck disable=SC2046,SC2086 # options are several words, none with a space in it
        "$with" build --file "Dockerfile.$part" --tag "$prefix/diurnal-$part:$version" \
            --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
            ${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"} $(secrets) ${BUILD_FLAGS:-} .
    done
}

push() {
    with=$(builder)
    mkdir -p "$kept"
    for part in $parts; do
        image=$prefix/diurnal-$part
        rm -f "$kept/$part"
        if [ -z "${REGISTRY:-}" ]; then
            load "$with" "$image:$version"
            echo "$image:$version" >"$kept/$part"
        else
            say "images: pushing $image:$version"
            pushed "$with" "$image" >"$kept/$part"
        fi
        say "images: $(cat "$kept/$part")"
    done
}

# Pushes an image and prints it by the digest that the registry has given it.
pushed() {
    case $1 in
    docker)
        # shellcheck disable=SC2086
        docker push --quiet ${PUSH_FLAGS:-} "$2:$version" >&2
        docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2:$version" |
            grep -F "$2@" | head -n 1
        ;;
    *)
        # shellcheck disable=SC2086
        "$1" push --quiet ${PUSH_FLAGS:-} --digestfile "$kept/digest" "$2:$version" >&2
        echo "$2@$(cat "$kept/digest")"
        rm -f "$kept/digest"
        ;;
    esac
}

# Without a registry: into the nodes of kind, or by the command that LOAD says.
load() {
    context=$(kubectl config current-context 2>/dev/null || true)
    if [ -z "${LOAD:-}" ]; then
        case $context in
        kind-*) LOAD="kind load image-archive --name ${context#kind-}" ;;
        *) fail "where to? REGISTRY=... for a registry that the cluster reads from; without one, kubectl must" \
            "talk to a cluster of kind (it talks to '$context'), or LOAD says what loads an archive" ;;
        esac
    fi
    archive=$kept/archive.tar
    rm -f "$archive"
    say "images: loading $2"
    case $1 in
    docker) docker save --output "$archive" "$2" ;;
    podman) podman save --quiet --output "$archive" "$2" >&2 ;;
    buildah) buildah push --quiet "$2" "docker-archive:$archive:$2" >&2 ;;
    esac
    # shellcheck disable=SC2086
    $LOAD "$archive" >&2
    rm -f "$archive"
}

render() {
    mkdir -p out
    substitute=
    for part in $parts; do
        [ -s "$kept/$part" ] || fail "nothing was pushed yet: make images push"
        substitute="$substitute;s|localhost/diurnal-$part:[^\"[:space:]]*|$(cat "$kept/$part")|"
    done
    sed "$substitute" manifests/install.yaml >out/install.yaml
    say "images: out/install.yaml"
}

case ${1:-} in
build) build ;;
push) push ;;
render) render ;;
install)
    render
    say "images: installing into $(kubectl config current-context)"
    kubectl apply --server-side -f out/install.yaml
    kubectl --namespace diurnal-system rollout status --timeout 120s deployment/diurnal-operator
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
