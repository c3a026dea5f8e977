# shellcheck shell=bash
# The injection template of deploy/istio, rendered by Istio's own injector.

# The oldest line, whose injector tells the template least. EXEUNT_ISTIO_LINES names others, such as "1.24 1.29", or `all`: each takes
# minutes to build.
INJECT_LINES=(1.24)

tier_inject() {
    wait_for go
    if ! use_requirements; then
        skip "injection template: tests/requirements.txt could not be installed"
        return
    fi
    if ! use_go; then
        skip "injection template: Go 1.$GO_MINOR or newer is missing, and with it Istio's injector"
        return
    fi
    if ! use_chart_tools || ! build_injectors; then
        count 0 1 0
        return
    fi
    run_pytest inject "the injection template, by Istio's own injector" "$@" tests/inject
}

# Builds the injector of each line, whenever its pinned code or the program has changed. Another line's program is removed, so that the tests
# run with those that were asked for.
build_injectors() {
    local lines=() line source=tests/inject/judge tools=$CACHE/tools/inject module
    read -r -a lines <<<"${EXEUNT_ISTIO_LINES:-${INJECT_LINES[*]}}"
    [[ ${lines[*]} != all ]] || mapfile -t lines < <(
        { cd "$source/lines" && printf '%s\n' *.mod; echo 1.31.mod; } | sed 's/\.mod$//' | sort -Vu
    )
    mkdir -p "$tools"
    for line in "$tools"/*; do
        [[ " ${lines[*]} " == *" $(basename "${line%.txt}") "* ]] || rm -f "$line"
    done
    for line in "${lines[@]}"; do
        module=$source/lines/$line.mod
        [[ -e $module ]] || module=$source/go.mod
        if [[ -x $tools/$line ]] && cat "$module" "${module%.mod}.sum" "$source"/*.go | cmp --silent - "$tools/$line.txt"; then
            continue
        fi
        step "inject-$line" "building the injector of Istio $line" go build -C "$source" "${GO_BUILD[@]}" -mod=readonly \
            "-modfile=$ROOT/$module" -tags "istio${line/./_}" -o "$tools/$line" . || return
        cat "$module" "${module%.mod}.sum" "$source"/*.go >"$tools/$line.txt"
    done
}
