# shellcheck shell=bash
# The policies for Kyverno, in Kyverno's own engines. The pods that they change come out of Istio's own injector.

tier_kyverno() {
    go_tier_is_ready "Kyverno" "Kyverno's engines" use_chart_tools build_injectors build_kyverno || return 0
    run_pytest kyverno "the policies for Kyverno, in Kyverno's own engines" "$@" tests/kyverno
}

# Builds Kyverno's engines, whenever their pinned code or the program has changed. The engines are Kyverno's own code, but two thousand packages
# that only a real cluster and signed images need stay away: the client of a cluster, and four files that nothing here calls.
build_kyverno() {
    local source=tests/kyverno/judge tools=$CACHE/tools/kyverno module copy sources
    sources=("$source/go.mod" "$source/go.sum" "$source"/*.go "$source"/without/*.go)
    ! is_built_from "$tools/built-from" "${sources[@]}" || return 0
    copy=$tools/source
    rm -rf "$tools"
    mkdir -p "$copy/cmd/cli/kubectl-kyverno"
    attempt kyverno-source "fetching Kyverno's source" go mod download -C "$source" github.com/kyverno/kyverno || return
    module=$(go list -C "$source" -m -f '{{.Dir}}' github.com/kyverno/kyverno) || return
    cp -r "$module"/{go.mod,api,ext,pkg} "$copy/"
    cp -r "$module/cmd/cli/kubectl-kyverno/log" "$copy/cmd/cli/kubectl-kyverno/"
    chmod -R u+w "$copy"
    cp "$source/without/context.go" "$copy/pkg/cel/libs/context.go"
    rm "$copy"/pkg/utils/admission/{cleanup,exception,globalcontext,policy}.go
    cp "$source"/go.{mod,sum} "$tools/"
    go mod edit -replace "github.com/kyverno/kyverno=$copy" "$tools/go.mod"
    step kyverno "building Kyverno's engines" go build -C "$source" "${GO_BUILD[@]}" "-modfile=$tools/go.mod" -o "$tools/judge" . || return
    rm -rf "$copy"
    note_built_from "$tools/built-from" "${sources[@]}"
}
