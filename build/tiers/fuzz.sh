# shellcheck shell=bash
# Fuzzing: every parser of what others have written, for some seconds each. What a run has learned stays in .cache/fuzz for the next.

# Enough for a million inputs and more; ./build.sh test fuzz 600 takes ten minutes for each.
FUZZ_SECONDS=6
# The compiler's own coverage, as libFuzzer wants it (clang.llvm.org, "SanitizerCoverage"). These flags are stable Rust's; a sanitizer's
# would not be, and has little to find in code without unsafe.
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
    local seconds=${1:-$FUZZ_SECONDS} seeds target
    use_rust
    if ! have g++ && ! packages g++; then
        skip "fuzzing: libFuzzer is C++, and g++ is missing and could not be installed"
        return
    fi
    if ! step fuzz-build "building the fuzz targets" build_fuzz_targets; then
        count 0 1 0
        return
    fi
    for seeds in fuzz/seeds/*/; do
        target=$(basename "$seeds")
        check_fuzz_target "$target" "$seconds" "$seeds"
    done
}

build_fuzz_targets() {
    CARGO_ENCODED_RUSTFLAGS=$(joined "${FUZZ_FLAGS[@]}") cargo build --manifest-path fuzz/Cargo.toml --bins --release --locked \
        --target "$(rustc --print host-tuple)" --target-dir "$CARGO_TARGET_DIR/fuzz"
}

# A target is one test. An input that it cannot take ends its log, and lies beside what it has learned.
check_fuzz_target() {
    local target=$1 seconds=$2 seeds=$3 learned=$CACHE/fuzz/$1 binary
    binary=$CARGO_TARGET_DIR/fuzz/$(rustc --print host-tuple)/release/$target
    mkdir -p "$learned"
    # The longest completion has 4 KiB. A target has 30 MB by itself, and takes microseconds an input.
    local limits=(-max_len=4096 -rss_limit_mb=256 -timeout=5)
    if step "fuzz-$target" "fuzzing $target" \
        "$binary" "${limits[@]}" "-max_total_time=$seconds" "-artifact_prefix=$learned-" "$learned" "$seeds"; then
        count 1 0 0
    else
        count 0 1 0
    fi
}
