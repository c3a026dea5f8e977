# shellcheck shell=bash
# What people install: the chart, the manifests, the samples, and the commands of the documents.

KREW=0.4.3

tier_chart() {
    go_tier_is_ready "chart and manifests" "Helm, Kustomize and the API server's validation" use_chart_tools build_wasm || return 0
    if ! use_node; then
        say "Node.js is missing: the filter will read no plugin configuration of the manifests"
    fi
    # krew reads its manifest, and installs from it.
    local program
    for program in krew validate-krew-manifest; do
        go_tool "$program" "sigs.k8s.io/krew/cmd/$program" "$KREW" || say "krew's manifest will not be read by $program"
    done
    # The documents' commands push images and pull them; without these programs the tests are skipped, and say so.
    programs skopeo=skopeo docker-registry=docker-registry openssl=openssl || true
    run_pytest chart "chart, manifests, samples and documented commands" "$@" tests/chart tests/documents/test_commands.py
}

# Builds Helm, Kustomize, kubectl and the judge of manifests into .cache/tools/chart, whenever their versions or the judge have changed.
use_chart_tools() {
    local tools=$CACHE/tools/chart source=tests/chart/tools sources
    sources=("$source/go.mod" "$source/go.sum" "$source"/judge/*.go)
    ! is_built_from "$tools/built-from" "${sources[@]}" || return 0
    mkdir -p "$tools"
    step chart-tools "building Helm, Kustomize, kubectl and the judge of manifests" go build -C "$source" "${GO_BUILD[@]}" -o "$tools/" \
        helm.sh/helm/v4/cmd/helm sigs.k8s.io/kustomize/kustomize/v5 k8s.io/kubernetes/cmd/kubectl ./judge || return
    note_built_from "$tools/built-from" "${sources[@]}"
}
