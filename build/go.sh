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

# Whether a tier can run that needs Go, pytest, and programs: what it tests, what it lacks without Go, and the functions that build programs.
# Where Go or a package is missing the tier counts as skipped, and where a build fails as failed.
go_tier_is_ready() {
    local what=$1 lost=$2 build
    wait_for go
    if ! use_requirements; then
        skip "$what: tests/requirements.txt could not be installed"
        return 1
    fi
    if ! use_go; then
        skip "$what: Go 1.$GO_MINOR or newer is missing, and with it $lost"
        return 1
    fi
    for build in "${@:3}"; do
        if ! "$build"; then
            count 0 1 0
            return 1
        fi
    done
}

# Builds a program of tests/TIER/judge for each line of releases: the tier, what the program is, the build tag of a line without its number,
# the newest line, and the wanted lines, or `all`. Another line's program is removed, so that the tests run with those that were asked for.
build_lines() {
    local tier=$1 what=$2 tag=$3 newest=$4 source=tests/$1/judge tools=$CACHE/tools/$1 lines=() line module sources
    read -r -a lines <<<"$5"
    [[ $5 != all ]] || mapfile -t lines < <({ basename -s .mod "$source"/lines/*.mod && echo "$newest"; } | sort -V)
    mkdir -p "$tools"
    for line in "$tools"/*; do
        [[ " ${lines[*]} " == *" $(basename "${line%.txt}") "* ]] || rm -f "$line"
    done
    for line in "${lines[@]}"; do
        module=$source/lines/$line.mod
        [[ -e $module ]] || module=$source/go.mod
        sources=("$module" "${module%.mod}.sum" "$source"/*.go)
        [[ ! -x $tools/$line ]] || ! is_built_from "$tools/$line.txt" "${sources[@]}" || continue
        step "$tier-$line" "building $what $line" go build -C "$source" "${GO_BUILD[@]}" -mod=readonly \
            "-modfile=$ROOT/$module" -tags "$tag${line/./_}" -o "$tools/$line" . || return
        note_built_from "$tools/$line.txt" "${sources[@]}"
    done
}

# Whether something was built from these files as they are now: what `note_built_from` has written then, and the files.
is_built_from() {
    cmp --silent <(cat "${@:2}") "$1"
}

note_built_from() {
    cat "${@:2}" >"$1"
}
