# shellcheck shell=bash
# The shipped filter in V8.

tier_host() {
    if ! use_node; then
        skip "the shipped filter in V8: Node.js 20 or newer is missing and could not be installed"
        return
    fi
    if ! build_wasm || ! build_panicking_wasm; then
        count 0 1 0
        return
    fi
    local code=0
    step host "the shipped filter in V8, against a small host" \
        node --test --test-reporter=spec "$@" tests/host/*.test.mjs || code=$?
    # After the tests come lines such as `ℹ pass 40`, and then the failed tests again.
    # shellcheck disable=SC2046 # three numbers
    count_checked host "$code" $(awk '/^ℹ [a-z]+ [0-9]+$/ { total[$2] = $3 }
        END { print total["pass"] + 0, total["fail"] + total["cancelled"], total["skipped"] + total["todo"] }' "$LOGS/host.log")
}
