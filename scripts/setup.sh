#!/usr/bin/env bash
# Makes the project's own environment in the folder given; safe to run again.
set -euo pipefail
venv=$1

python=""
for name in python3.11 python3.12 python3.13 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
    then python=$name; break; fi
done
if [ -z "$python" ]; then
    echo "Python is missing or too old; needed: 3.11 or newer" >&2
    exit 1
fi

missing=()
# implicit's compiled part links the system's OpenMP library, which slim images lack.
ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || missing+=(libgomp1)
# What fault tests of several machines run against; without them those tests say that they are
# skipped, and all else works.
tested=()
command -v redis-server >/dev/null || tested+=(redis-server)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || tested+=(postgresql)
for tool in strace faketime; do
    command -v "$tool" >/dev/null || tested+=("$tool")
done
if [ "${#missing[@]}" -gt 0 ] || [ "${#tested[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        [ "${#missing[@]}" -eq 0 ] || apt-get install -y -qq "${missing[@]}"
        [ "${#tested[@]}" -eq 0 ] || DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${tested[@]}" \
            || echo "not installed, tests that need them are skipped: ${tested[*]}" >&2
    elif [ "${#missing[@]}" -gt 0 ]; then
        echo "${missing[*]} is missing: install it with the system's package manager" >&2
        exit 1
    else
        echo "not installed, tests that need them are skipped: ${tested[*]}" >&2
    fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation -e .
# Loops are compiled here once, or the first start would wait for it.
"$venv/bin/python" -c 'import recsys.recommend; from recsys import kernels; kernels.warm()'
