#!/usr/bin/env bash
# Every verb of this project; without words it lists them. Each verb does its own set-up and can be repeated.
#
# What is downloaded goes into .cache/, what is built into target/. Two kinds of machine are provided for: root on a bare Debian, where
# missing packages are installed, and an ordinary user with rustup, where nothing but these folders and rustup's own is written to.
# Where neither helps, one line says what is missing and how to get it.

set -euo pipefail

CALLER=$PWD
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"

CACHE=$ROOT/.cache
LOGS=$CACHE/log
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}

. build/artefacts.sh
. build/provenance.sh
. build/image.sh
. build/release.sh
. build/cluster.sh
. build/tiers.sh
. build/tiers/lint.sh
. build/tiers/unit.sh
. build/tiers/wasm.sh
. build/tiers/host.sh
. build/tiers/fuzz.sh
. build/tiers/chart.sh
. build/tiers/image.sh
. build/tiers/e2e.sh
. build/tiers/containers.sh
. build/tiers/airflow.sh
. build/tiers/cluster.sh
. build/rust.sh
. build/go.sh
. build/python_node.sh
. build/debian.sh
. build/steps.sh

# === verbs ===

VERBS=(
    "demo   three ways for a pod to end, side by side on a real Envoy [--megabytes N] [--rate BYTES_PER_S] [--envoy VERSION] [--json FILE]"
    "test   everything that can be tested here, or single tiers: ${TIERS[*]}"
    "e2e    the scenarios on a real cluster that has Istio --kubeconfig FILE --plugin-url URL --agent-image IMAGE [--help]"
    "wasm   the filter: target/exeunt.wasm"
    "agent  the static agent: target/exeunt-agent"
    "image  the OCI images of both, as layouts and for docker load [--push REGISTRY/PREFIX] [--verify oci://IMAGE] [--help]"
    "lint   the lints alone"
    "bench  the comparisons, with the figures that the README names"
    "release  --dry-run: what of a release can be done here; --check TAG: whether every place names that version"
    "clean  removes everything that was built or downloaded here"
)

main() {
    local verb=${1:-} known
    for known in "${VERBS[@]}"; do
        if [[ -n $verb && $verb == "${known%% *}" ]]; then
            shift
            "verb_$verb" "$@"
            return
        fi
    done
    case $verb in
    '' | help | --help | -h) usage ;;
    *) wrong "unknown verb $verb: must be one that ./build.sh lists" ;;
    esac
}

usage() {
    echo "usage: ./build.sh VERB [ARGUMENT…]"
    printf '  %s\n' "${VERBS[@]}"
}

verb_demo() {
    build_both
    use_venv
    cd "$CALLER"
    exec "$PYTHON" "$ROOT/demo/demo.py" "$@"
}

verb_bench() {
    build_both
    use_venv
    cd "$CALLER"
    exec "$PYTHON" "$ROOT/bench/drain.py" "$@"
}

verb_wasm() {
    build_wasm || exit 1
}

verb_agent() {
    build_agent || exit 1
}

verb_lint() {
    verb_test lint
}

verb_clean() {
    rm -rf "$CARGO_TARGET_DIR" "$CACHE" target
}

trap interrupted INT TERM
main "$@"
