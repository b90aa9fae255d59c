#!/usr/bin/env bash
# Prepares a machine for run_autograder. It installs nothing if there is a Python that the packages
# in this archive are for; otherwise Python from Ubuntu, or msgspec, tabulate and tqdm from PyPI.
set -euo pipefail
home=$(cd "$(dirname "$0")" && pwd)

works() {
    "$1" -I -c "
import sys
sys.path[:0] = ['$home/packages/any', '$home/packages/cp%d%d' % sys.version_info[:2]]
import msgspec, tabulate, tqdm
sys.exit(sys.version_info < (3, 11))" 2>/dev/null
}

choose() {
    for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null && works "$python"; then
            command -v "$python" >"$home/python"
            return 0
        fi
    done
    return 1
}

if ! choose; then
    for python in python3 python3.13 python3.12 python3.11; do
        if command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            found=$python
            break
        fi
    done
    if [ -z "${found:-}" ]; then
        echo "installing Python from Ubuntu"
        apt-get update -qq && apt-get install -y -qq python3.11 python3-pip || apt-get install -y -qq python3 python3-pip
        found=$(command -v python3.11 || command -v python3)
    fi
    echo "installing msgspec, tabulate and tqdm for $found"
    "$found" -m pip --version >/dev/null 2>&1 || apt-get install -y -qq python3-pip
    folder=$home/packages/$("$found" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    "$found" -m pip install --quiet --target "$folder" msgspec tabulate tqdm
    "$found" -m pip install --quiet --target "$folder" pyseccomp || echo "without pyseccomp"
    PYTHON=$found choose
fi
"$(cat "$home/python")" -m compileall -q "$home/tree" "$home/labs" "$home/packages" || true # once, not in each container
chmod -R go-rwx "$home/labs" # not for the user as whom students' code runs
echo "autograder ready: $(cat "$home/python")"
