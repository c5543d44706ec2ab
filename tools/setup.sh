#!/bin/sh
# Makes .venv with what the Makefile's commands need: `tools/setup.sh run` for running Diurnal,
# `tools/setup.sh bench` for measuring it with the compiled kernel, `tools/setup.sh dev` for the tests and tools
# as well. `make` calls it before each command; it does its work once, and again whenever pyproject.toml, uv.lock
# or this file has changed.
#
# With uv (https://docs.astral.sh/uv) if it is there, in the versions of uv.lock; else with python3 -m venv
# and pip, in the newest versions that pyproject.toml allows.
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
run) locked='--extra cli --no-dev' unlocked='--editable .[cli]' ;;
bench) locked='--extra cli --extra fast --no-dev' unlocked='--editable .[cli,fast]' ;;
dev) locked='--extra cli --extra operator' unlocked='--editable .[cli,operator] --group dev' ;;
*) echo "usage: tools/setup.sh run|bench|dev" >&2 && exit 2 ;;
esac

state=$(cat pyproject.toml uv.lock tools/setup.sh | cksum)
done_before() { [ "$(cat ".venv/.diurnal-$1" 2>/dev/null || true)" = "$state" ]; }
if done_before "$1" || done_before dev; then
    exit 0
fi

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "setup: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

# The first Python that is new enough, and whose `venv` works.
find_python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "no Python 3.11 or later on the PATH. One of these brings it:" \
        "sudo apt-get install python3 python3-venv     (Debian 12, Ubuntu 24.04 and later)" \
        "brew install python@3.13                      (macOS)" \
        "curl -LsSf https://astral.sh/uv/install.sh | sh     (uv, which brings its own Python)"
}

# The versions of uv.lock; it is brought up to date where pyproject.toml asks for something new.
with_uv() {
    say "setup: .venv with $(uv --version)"
    # shellcheck disable=SC2086
    uv sync --quiet --inexact $locked
}

with_pip() {
    python=$(find_python) || exit 1
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "$python cannot make virtual environments. This brings what is missing:" \
        "sudo apt-get install python3-venv"
    say "setup: .venv with $("$python" --version) and pip"
    # --group is new in pip 25.1, later than the pip that Python 3.11 brings.
    # shellcheck disable=SC2086
    { [ -x .venv/bin/python ] || "$python" -m venv .venv; } &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' &&
        .venv/bin/python -m pip install --quiet $unlocked
}

# $locked and $unlocked are several words, none of which has a space or matches a file.
set -f
say "setup: installing into .venv, about a minute the first time"
if command -v uv >/dev/null 2>&1; then with_uv; else with_pip; fi || fail \
    "the installation failed, see above. If the package index was not reached, this shows which one is asked:" \
    "python3 -m pip config list"
printf '%s' "$state" >".venv/.diurnal-$1"
