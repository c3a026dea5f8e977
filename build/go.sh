# shellcheck shell=bash
# Go: only for tests, which need programs that are written in it.

# What tests/chart/tools/go.mod asks for: the N of 1.N. An older one fetches that by itself, from 1.21 on and where it may.
GO_MINOR=$(sed -n 's/^go 1\.\([0-9]*\).*$/\1/p' tests/chart/tools/go.mod)

# Whether there is a Go that will do, or one can be had.
use_go() {
    export GOMODCACHE=$CACHE/go/modules GOCACHE=$CACHE/go/build GOFLAGS="-modcacherw -buildvcs=false" CGO_ENABLED=0
    have go || packages golang-go || return
    [[ $(cd tests/chart/tools && go version 2>/dev/null) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_MINOR))
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
