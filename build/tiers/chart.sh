# shellcheck shell=bash
# What people install: the chart, the manifests, the samples, and the commands of the documents.

tier_chart() {
    wait_for go
    if ! use_requirements; then
        skip "chart and manifests: tests/requirements.txt could not be installed"
        return
    fi
    if ! use_go; then
        skip "chart and manifests: Go 1.$GO_MINOR or newer is missing, and with it Helm, Kustomize and the API server's validation"
        return
    fi
    if ! use_chart_tools || ! build_wasm; then
        count 0 1 0
        return
    fi
    if ! use_node; then
        say "Node.js is missing: the filter will read no plugin configuration of the manifests"
    fi
    # The documents' commands push images and pull them; without these programs the tests are skipped, and say so.
    programs skopeo=skopeo docker-registry=docker-registry openssl=openssl || true
    run_pytest chart "chart, manifests, samples and documented commands" "$@" tests/chart tests/documents/test_commands.py
}

# Builds Helm, Kustomize, kubectl and the judge of manifests into .cache/tools/chart, whenever their versions or the judge have changed.
use_chart_tools() {
    local tools=$CACHE/tools/chart sources=tests/chart/tools
    cmp --silent <(cat "$sources/go.mod" "$sources/go.sum" "$sources"/judge/*.go) "$tools/built-from" && return
    mkdir -p "$tools"
    step chart-tools "building Helm, Kustomize, kubectl and the judge of manifests" go build -C "$sources" "${GO_BUILD[@]}" -o "$tools/" \
        helm.sh/helm/v4/cmd/helm sigs.k8s.io/kustomize/kustomize/v5 k8s.io/kubernetes/cmd/kubectl ./judge || return
    cat "$sources/go.mod" "$sources/go.sum" "$sources"/judge/*.go >"$tools/built-from"
}
