# shellcheck shell=bash
# Pods of real containers, by podman and runc.

tier_containers() {
    wait_for_all
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    if ! use_requirements; then
        skip "real containers: tests/requirements.txt could not be installed"
        return
    fi
    run_pytest containers "real containers" --numprocesses 4 "$@" tests/containers
}
