# What can be done here. `just` alone lists it.

set positional-arguments

# `exec`: a signal to just must reach the program, not a shell between them that would leave it running.

venv := justfile_directory() / ".venv"
bin := venv / "bin"

# list the recipes
help:
    @just --list --unsorted

# start the whole system on embedded servers; Ctrl-C stops it
up *ARGS: (_install "requirements.txt")
    @exec "{{bin}}/gonogo" up "$@"

# stop a system that was started in the default data folder
down *ARGS: (_install "requirements.txt")
    @exec "{{bin}}/gonogo" down "$@"

# drive a real release through a temporary system, from a checklist to success
demo *ARGS: (_install "requirements.txt")
    @exec "{{bin}}/gonogo" demo "$@"

# every test, on real servers; two at a time, since most of them wait for something
test *ARGS: (_install "requirements-dev.txt")
    @exec "{{bin}}/python" -m pytest -n 2 --dist loadgroup "$@"

# formatting, lint, types, import rules: what CI checks besides the tests
check: (_install "requirements-dev.txt")
    "{{bin}}/ruff" format --check .
    "{{bin}}/ruff" check .
    "{{bin}}/mypy"
    "{{bin}}/lint-imports"

# speed and size, as ratios against floors and peers in one interleaved run; also written as JSON
bench *ARGS: (_install "requirements-dev.txt") (_install "requirements-bench.txt")
    @exec "{{bin}}/python" -m tests.bench "$@"

# write the JSON Schemas of the words, the AsyncAPI document and the decision tables anew
words: (_install "requirements-dev.txt")
    @"{{bin}}/python" -m tests.support.words
    @"{{bin}}/python" -m tests.support.decisions

# the local environment, made when it is missing or its requirements changed
_install FILE:
    #!/bin/sh
    set -eu
    cd "{{justfile_directory()}}"
    stamp="{{venv}}/.installed-{{FILE}}"
    if [ -f "$stamp" ] && cmp -s "$stamp" "{{FILE}}"; then exit 0; fi
    [ -x "{{bin}}/python" ] || { echo "making {{venv}}" >&2; python3 -m venv "{{venv}}"; }
    echo "installing {{FILE}}" >&2
    "{{bin}}/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "{{FILE}}"
    "{{bin}}/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    cp "{{FILE}}" "$stamp"
