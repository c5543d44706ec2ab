#!/bin/sh
# Writes what Dockerfile.worker and Dockerfile.operator install, each file a part of uv.lock with its hashes:
#   tools/requirements.sh [FOLDER]        default tools/requirements
set -eu
cd "$(dirname "$0")/.."

folder=${1:-tools/requirements}
PATH=.venv/bin:$PATH
export_() { uv export --quiet --frozen --no-header --no-annotate --no-emit-project --format requirements-txt "$@"; }

mkdir -p "$folder"
export_ --only-group build >"$folder/build.txt"
for part in worker operator; do
    export_ --no-dev --extra "$part" >"$folder/$part.txt"
done
