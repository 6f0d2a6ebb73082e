#!/usr/bin/env bash
# Whether two programs give the same bits: trains every config that runs offline with both, on flex, and compares the
# hashes of weights, metrics and evaluation. Run it in a checkout, whose configs and data both programs read.
#
# usage: benches/same_bits/run.sh OLD NEW [CONFIG [--set KEY=VALUE ...]]
set -euo pipefail

old="$(realpath "$1")" new="$(realpath "$2")"
shift 2
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

# Trains CONFIG by PROGRAM; prints the hashes of what it leaves.
hashes() {
    local program="$1" name="$2" config="$3"
    shift 3
    "$program" train "$config" -q --set device.backend=flex --set output_dir="$work/$name" "$@" >"$work/$name.log" 2>&1 ||
        { tail -n 5 "$work/$name.log" >&2; return 1; }
    (cd "$work/$name"/*/1 && sha256sum model.safetensors metrics.jsonl evaluation.json)
    rm -rf "${work:?}/$name"
}

compare() {
    local config="$1" before after
    before="$(hashes "$old" old "$@")"
    after="$(hashes "$new" new "$@")"
    if [ "$before" = "$after" ]; then echo "same    $config"; else
        echo "DIFFERS $config"
        diff <(echo "$before") <(echo "$after") || true
        failed=1
    fi
}

if [ $# -gt 0 ]; then compare "$@"; else
    for config in configs/*/*.toml; do
        # The data of these is not part of the checkout.
        grep -qE '^#   (status    not run here|prepare )|^\[\[data\.download\]\]' "$config" || compare "$config"
    done
fi
exit "$failed"
