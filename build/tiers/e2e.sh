# shellcheck shell=bash
# End to end, on real Envoys.

tier_e2e() {
    if ! build_wasm || ! build_panicking_wasm || ! build_agent; then
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
    # Of the agent's system calls one test counts every one.
    if ! have strace && ! packages strace; then
        say "strace is missing: the agent's system calls will not be counted"
    fi
    local code=0 report=$LOGS/e2e.xml
    rm -f "$report"
    step e2e "end to end, on real Envoys" "$PYTHON" -m pytest --numprocesses 2 --junit-xml="$report" -o junit_logging=no "$@" tests/e2e || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked e2e "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n 's/^SKIPPED /end to end: /p' "$LOGS/e2e.log")
}
