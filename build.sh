#!/usr/bin/env bash
# Every command of this project. Without arguments it lists them. Each verb does its own set-up and can be repeated.
#
# Downloads go into .cache/, builds into target/. A machine needs Python 3.11, a C compiler and the network; where there is no Rust,
# rustup installs it into .cache/. On Debian, as root, missing Debian packages are installed, and build.sh says so first. Where something
# is missing and cannot be installed, one line names it and says how to install it.

set -euo pipefail

CALLER=$PWD
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"

CACHE=$ROOT/.cache
LOGS=$CACHE/log
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}

. build/steps.sh
. build/debian.sh
. build/requirements.sh
. build/python_node.sh
. build/package.sh
. build/rust.sh
. build/go.sh
. build/artefacts.sh
. build/provenance.sh
. build/help.sh
. build/image.sh
. build/command.sh
. build/release.sh
. build/cluster.sh
. build/bench.sh
. build/tiers.sh
. build/prepare.sh
. build/tiers/lint.sh
. build/tiers/verbs.sh
. build/tiers/unit.sh
. build/tiers/cli.sh
. build/tiers/wasm.sh
. build/tiers/host.sh
. build/tiers/texts.sh
. build/tiers/e2e.sh
. build/tiers/cluster.sh
. build/tiers/licenses.sh
. build/tiers/fuzz.sh
. build/tiers/chart.sh
. build/tiers/inject.sh
. build/tiers/policy.sh
. build/tiers/kyverno.sh
. build/tiers/image.sh
. build/tiers/containers.sh
. build/tiers/airflow.sh

main() {
    local verb words=()
    while (($# > 0)); do
        case $1 in
        --no-install) NO_INSTALL=1 ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    set -- "${words[@]}"
    verb=${1:-}
    case $verb in
    '' | help | --help | -h)
        usage
        return
        ;;
    esac
    is_verb "$verb" || wrong "there is no verb $verb: ./build.sh lists the verbs"
    shift
    if asks_for_help "$@"; then
        help_of "$verb" "$@"
    else
        "verb_$verb" "$@"
    fi
}

verb_demo() {
    build_both
    use_venv
    cd "$CALLER"
    exec "$PYTHON" "$ROOT/demo/demo.py" "$@"
}

verb_wasm() {
    takes_nothing wasm "$@"
    build_wasm || exit 1
}

verb_agent() {
    (($# < 2)) || wrong "agent takes one architecture at most: amd64 or arm64"
    case ${1:-} in
    '' | amd64 | arm64) build_agent "$@" || exit 1 ;;
    *) wrong "agent $1 is not allowed: must be amd64 or arm64" ;;
    esac
}

verb_cli() {
    (($# < 2)) || wrong "cli takes one architecture at most: amd64 or arm64"
    case ${1:-} in
    '' | amd64 | arm64) build_cli "$@" || exit 1 ;;
    *) wrong "cli $1 is not allowed: must be amd64 or arm64" ;;
    esac
}

verb_lint() {
    takes_nothing lint "$@"
    verb_test lint
}

verb_clean() {
    takes_nothing clean "$@"
    rm -rf "$CARGO_TARGET_DIR" "$CACHE" target
}

takes_nothing() {
    (($# == 1)) || wrong "$1 takes no argument, and $2 is one"
}

trap interrupted INT TERM
main "$@"
