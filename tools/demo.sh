#!/bin/sh
# Makes a repository, adds a layer, runs the layer's tests and trains on digits.
# Usage: tools/demo.sh FOLDER, with nnscaffold and a repository's requirements on PATH.
set -eu

folder=$1

say() { printf '\n==> %s\n' "$*"; }
# Shows the command, then runs it.
run() { printf '$ %s\n' "$*"; "$@"; }

say "A fresh repository in $folder"
rm -rf "$folder"
run nnscaffold new project "$folder" --defaults -d package=demo
cd "$folder"

say "One more layer"
run nnscaffold new layer CausalAttention --kind attention

# The environment at hand has all that the repository requires; only its own package is missing.
PYTHONPATH=src
export PYTHONPATH

say "The layer's tests"
run python -m pytest -q -m "not slow" tests/layers/test_causal_attention.py

say "Training on 1,797 real images of digits"
run python -m demo.train
