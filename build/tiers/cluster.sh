# shellcheck shell=bash
# The logic of ./build.sh e2e, without a cluster: its command line, the pods it makes, what it reads of them, its reports. The same of
# ./build.sh bench.

tier_cluster() {
    if ! use_requirements; then
        skip "the logic of ./build.sh e2e: tests/requirements.txt could not be installed"
        return
    fi
    run_pytest cluster "the logic of ./build.sh e2e and bench, without a cluster" "$@" tests/cluster/unit tests/bench
}
