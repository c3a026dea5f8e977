# shellcheck shell=bash
# The tests of crates/drain as WebAssembly.

# wasm-bindgen's runner must have the version that the tests are linked with.
WASM_BINDGEN=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)

tier_wasm() {
    use_rust
    if ! rust_has_target wasm32-unknown-unknown; then
        skip "unit tests as WebAssembly: $(rustc --version) has no target wasm32-unknown-unknown"
        return
    fi
    if [[ -z $WASM_BINDGEN ]] || ! use_node; then
        skip "unit tests as WebAssembly: Node.js 20 or newer is missing and could not be installed"
        return
    fi
    # Without the features for browsers; an optimised build would take three times as long.
    if ! cargo_tool wasm-bindgen-cli "$WASM_BINDGEN" --debug --no-default-features --bin wasm-bindgen-test-runner; then
        skip "unit tests as WebAssembly: wasm-bindgen-cli $WASM_BINDGEN could not be installed"
        return
    fi
    local code=0
    local -x CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$CACHE/tools/bin/wasm-bindgen-test-runner
    step test-wasm "the tests of crates/drain as WebAssembly, in Node.js" \
        cargo test --target wasm32-unknown-unknown --package exeunt-drain --lib --test laws --locked --no-fail-fast "$@" || code=$?
    count_cargo test-wasm "$code"
}
