# shellcheck shell=bash
# Real containers, in pods of podman and runc.

# iproute2, iptables: the pod's network. The others are podman's, and what it calls.
CONTAINER_PACKAGES=(podman runc conmon netavark catatonit iproute2 iptables)

tier_containers() {
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    if ! use_requirements; then
        skip "real containers: tests/requirements.txt could not be installed"
        return
    fi
    # What is missing then is said by the tests themselves, which are skipped.
    if ! { have podman && have runc && have conmon && have iptables && have ip; } && ! packages "${CONTAINER_PACKAGES[@]}"; then
        say "podman, runc, conmon, iptables or ip is missing: the tests with real containers will be skipped"
    fi
    local code=0 report=$LOGS/containers.xml
    rm -f "$report"
    step containers "real containers" "$PYTHON" -m pytest --numprocesses 2 --junit-xml="$report" -o junit_logging=no "$@" tests/containers || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked containers "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(
        sed -n -e 's/^SKIPPED /real containers: /p' -e 's/^XFAIL /real containers, known to fail: /p' "$LOGS/containers.log"
    )
}
