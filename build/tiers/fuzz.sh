# shellcheck shell=bash
# Fuzzing: every parser of outside data, for some seconds each. The inputs that a run finds stay in .cache/fuzz for the next run.

# Enough for a million inputs. ./build.sh test fuzz 600 runs each parser for ten minutes.
FUZZ_SECONDS=6
# The coverage that libFuzzer reads (clang.llvm.org, "SanitizerCoverage"). Stable Rust has these flags. It does not have the sanitizers,
# which would find little in code without unsafe.
FUZZ_FLAGS=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
    --cfg=fuzzing
)

tier_fuzz() {
    local seconds=${1:-$FUZZ_SECONDS} targets target
    [[ $seconds =~ ^[0-9]+$ ]] || wrong "test fuzz $seconds is not allowed: must be the seconds for each parser"
    use_rust
    if ! programs g++=g++; then
        skip "fuzzing: libFuzzer is C++, and g++ is missing: $HINT"
        return
    fi
    if ! step fuzz-build "building the fuzz targets" build_fuzz_targets; then
        count 0 1 0
        return
    fi
    mapfile -t targets < <(find fuzz/seeds -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
    for target in "${targets[@]}"; do
        rm -f "$LOGS/fuzz-$target.passed"
    done
    step fuzz "fuzzing ${#targets[@]} parsers, $seconds s each" fuzz_all "$seconds" "${targets[@]}" || true
    for target in "${targets[@]}"; do
        if [[ -e $LOGS/fuzz-$target.passed ]]; then
            count_checked "fuzz-$target" 0 1 0 0
        else
            say "  the end of .cache/log/fuzz-$target.log:"
            tail -n 40 "$LOGS/fuzz-$target.log" | sed 's/^/  | /' >&2
            count_checked "fuzz-$target" 1 0 1 0
        fi
    done
}

build_fuzz_targets() {
    CARGO_ENCODED_RUSTFLAGS=$(joined "${FUZZ_FLAGS[@]}") cargo build --manifest-path fuzz/Cargo.toml --bins --release --locked \
        --target "$(rustc --print host-tuple)" --target-dir "$CARGO_TARGET_DIR/fuzz"
}

# Runs the targets, as many at a time as there are processors: seconds, targets.
fuzz_all() {
    local seconds=$1 target running=0 code=0
    shift
    for target; do
        if ((running == $(nproc))); then
            wait -n || code=1
            running=$((running - 1))
        fi
        fuzz_one "$target" "$seconds" &
        running=$((running + 1))
    done
    while ((running > 0)); do
        wait -n || code=1
        running=$((running - 1))
    done
    return "$code"
}

# An input that a target cannot take ends its log, and is written to .cache/fuzz/TARGET-KIND-HASH.
fuzz_one() {
    local target=$1 seconds=$2 learned=$CACHE/fuzz/$1
    mkdir -p "$learned"
    # The longest completion has 4 KiB. A target needs 30 MB, and microseconds for an input.
    "$CARGO_TARGET_DIR/fuzz/$(rustc --print host-tuple)/release/$target" -max_len=4096 -rss_limit_mb=256 -timeout=5 \
        "-max_total_time=$seconds" "-artifact_prefix=$learned-" "$learned" "fuzz/seeds/$target" >"$LOGS/fuzz-$target.log" 2>&1 &&
        touch "$LOGS/fuzz-$target.passed"
}
