# shellcheck shell=bash
# What people install: the chart, the manifests, the samples, and what the documents say of them.

tier_chart() {
    if ! use_requirements; then
        skip "chart and manifests: tests/requirements.txt could not be installed"
        return
    fi
    if ! use_go; then
        skip "chart and manifests: Go 1.$GO_MINOR or newer is missing, and with it helm, kustomize and the API server's validation"
        return
    fi
    if ! use_chart_tools || ! build_wasm; then
        count 0 1 0
        return
    fi
    if ! use_node; then
        say "Node.js is missing: no plugin configuration will be given to the filter"
    fi
    local code=0 report=$LOGS/chart.xml
    rm -f "$report"
    step chart "chart, manifests, samples and documents" \
        "$PYTHON" -m pytest --junit-xml="$report" -o junit_logging=no "$@" tests/chart || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked chart "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n 's/^SKIPPED /chart: /p' "$LOGS/chart.log")
}
