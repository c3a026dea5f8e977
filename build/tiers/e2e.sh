# shellcheck shell=bash
# End to end, with real Envoys.

tier_e2e() {
    wait_for_all
    if ! build_wasm || ! build_panicking_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    if ! use_requirements; then
        skip "end to end: tests/requirements.txt could not be installed"
        return
    fi
    local some=()
    if [[ -z $THOROUGH ]]; then
        some=(-k "$(newest_envoy_alone)")
    fi
    # The tests mostly wait, so more of them than processors run at once.
    run_pytest e2e "end to end, on real Envoys" --numprocesses 4 "${some[@]}" "$@" tests/e2e
}

# The expression that leaves out the tests on all but the newest Envoy.
newest_envoy_alone() {
    PYTHONPATH=tests "$PYTHON" -c 'from harness.release import NEWEST, VERSIONS
print(" and ".join(f"not {version}" for version in VERSIONS if version != NEWEST))'
}
