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

# Builds Helm, Kustomize and the judge of manifests into .cache/tools/chart, whenever their versions or the judge have changed. What Go
# keeps for that, two gigabytes, goes again.
use_chart_tools() {
    local tools=$CACHE/tools/chart sources=tests/chart/tools
    cmp --silent <(cat "$sources/go.mod" "$sources/go.sum" "$sources"/judge/*.go) "$tools/built-from" && return
    mkdir -p "$tools"
    step chart-tools "building helm, kustomize and the judge of manifests" go build -C "$sources" -trimpath -ldflags=-s -o "$tools/" \
        helm.sh/helm/v4/cmd/helm sigs.k8s.io/kustomize/kustomize/v5 ./judge || return
    cat "$sources/go.mod" "$sources/go.sum" "$sources"/judge/*.go >"$tools/built-from"
    rm -rf "$GOCACHE" "$GOMODCACHE"
}
