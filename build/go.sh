# shellcheck shell=bash
# Go, for tools and tests that are written in it.

# Programs that only tests run need neither symbol tables nor debug information.
GO_BUILD=(-trimpath "-ldflags=-s -w" -gcflags=all=-dwarf=false)

# Whether there is a Go that is new enough, or one can be installed. GO_MINOR is what tests/chart/tools/go.mod asks for: the N of 1.N. An
# older Go, from 1.21 on, fetches that version by itself where it may.
use_go() {
    GO_MINOR=$(sed -n 's/^go 1\.\([0-9]*\).*$/\1/p' tests/chart/tools/go.mod)
    export GOMODCACHE=$CACHE/go/modules GOCACHE=$CACHE/go/build GOFLAGS="-modcacherw -buildvcs=false" CGO_ENABLED=0
    have go || packages golang-go || return
    [[ $(cd tests/chart/tools && go version 2>/dev/null) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_MINOR))
}

# Installs a tool of a Go module into .cache/tools, once per version; fails where that is not possible.
go_tool() {
    local name=$1 package=$2 version=$3 tools=$CACHE/tools
    export PATH=$tools/bin:$PATH
    [[ ! -e $tools/$name-$version ]] || return 0
    use_go || return
    attempt "$name" "installing $name $version" env "GOBIN=$tools/bin" go install "${GO_BUILD[@]}" "$package@v$version" || return
    touch "$tools/$name-$version"
}
