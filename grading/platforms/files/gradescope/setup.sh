#!/usr/bin/env bash
# Gradescope runs this once, as root and with network, when it builds the image.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3 python3-venv
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "expected Python 3.10 or later, got $(python3 --version); choose Ubuntu 22.04 or later as the base image" >&2
    exit 1
fi
python3 -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet --no-cache-dir -r "$root/source/requirements.txt"
chmod -R go= "$root/source" # the solutions and the secret
