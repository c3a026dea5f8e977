# shellcheck shell=bash
# Go, for tools and tests that are written in it.

# Whether there is a Go that will do, or one can be had. GO_MINOR is what tests/chart/tools/go.mod asks for: the N of 1.N. An older one
# fetches that by itself, from 1.21 on and where it may.
use_go() {
    GO_MINOR=$(sed -n 's/^go 1\.\([0-9]*\).*$/\1/p' tests/chart/tools/go.mod)
    export GOMODCACHE=$CACHE/go/modules GOCACHE=$CACHE/go/build GOFLAGS="-modcacherw -buildvcs=false" CGO_ENABLED=0
    have go || packages golang-go || return
    [[ $(cd tests/chart/tools && go version 2>/dev/null) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_MINOR))
}

# Installs a tool of a Go module into .cache/tools, once per version; false where that cannot be done.
go_tool() {
    local name=$1 package=$2 version=$3 tools=$CACHE/tools
    export PATH=$tools/bin:$PATH
    [[ ! -e $tools/$name-$version ]] || return 0
    have go || return
    attempt "$name" "installing $name $version" env "GOBIN=$tools/bin" GOFLAGS= go install "$package@v$version" || return
    touch "$tools/$name-$version"
}
