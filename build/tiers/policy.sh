# shellcheck shell=bash
# The MutatingAdmissionPolicy of deploy/policy, in the API server's own admission plugin.

# The newest line of Kubernetes. EXEUNT_KUBERNETES_LINES names others, such as "1.34 1.37", or `all`: each takes minutes to build.
POLICY_LINES=(1.37)

tier_policy() {
    wait_for go
    if ! use_requirements; then
        skip "policy: tests/requirements.txt could not be installed"
        return
    fi
    if ! use_go; then
        skip "policy: Go 1.$GO_MINOR or newer is missing, and with it the API server's admission plugin"
        return
    fi
    # Istio's injector comes after the policy.
    if ! use_chart_tools || ! build_api_servers || ! build_injectors; then
        count 0 1 0
        return
    fi
    run_pytest policy "the policy, by the API server's own admission plugin" "$@" tests/policy
}

# Builds the API server of each line, whenever its pinned code or the program has changed. Another line's program is removed, so that the
# tests run with those that were asked for.
build_api_servers() {
    local lines=() line source=tests/policy/judge tools=$CACHE/tools/policy module
    read -r -a lines <<<"${EXEUNT_KUBERNETES_LINES:-${POLICY_LINES[*]}}"
    [[ ${lines[*]} != all ]] || mapfile -t lines < <(
        { cd "$source/lines" && printf '%s\n' *.mod; echo 1.37.mod; } | sed 's/\.mod$//' | sort -Vu
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
        step "policy-$line" "building the API server of Kubernetes $line" go build -C "$source" "${GO_BUILD[@]}" -mod=readonly \
            "-modfile=$ROOT/$module" -o "$tools/$line" . || return
        cat "$module" "${module%.mod}.sum" "$source"/*.go >"$tools/$line.txt"
    done
}
