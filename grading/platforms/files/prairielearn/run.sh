#!/usr/bin/env bash
# PrairieLearn runs this in a fresh container for each submission; it needs no network.
root=${GRADE_ROOT:-/grade}
here=$(dirname "$(realpath "$0")")
mkdir -p "$root/results"
cp "$here/not_graded.json" "$root/results/results.json" # stays if the grader is ended before its time
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xf "$here/grader.tar" -C "$work" && cd "$work" &&
    OPENBLAS_NUM_THREADS=1 python3 -B -m handgrad.grading.platforms.prairielearn "$root"
exit 0 # results.json says what happened
