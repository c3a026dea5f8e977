# shellcheck shell=bash
# What ./build.sh e2e thinks, without a cluster: its command line, the pods it makes, what it reads of them, its reports.

tier_cluster() {
    say "no cluster is touched here: ./build.sh e2e --kubeconfig FILE plays the scenarios on a real one"
    if ! use_requirements; then
        skip "the logic of ./build.sh e2e: tests/requirements.txt could not be installed"
        return
    fi
    local code=0 report=$LOGS/cluster.xml
    rm -f "$report"
    step cluster "the logic of ./build.sh e2e, without a cluster" "$PYTHON" -m pytest --junit-xml="$report" -o junit_logging=no \
        "$@" tests/cluster/unit || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked cluster "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n 's/^SKIPPED /cluster: /p' "$LOGS/cluster.log")
}
