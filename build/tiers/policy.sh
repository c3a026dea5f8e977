# shellcheck shell=bash
# The MutatingAdmissionPolicy of deploy/policy, in the API server's own admission plugin.

tier_policy() {
    # Istio's injector comes after the policy.
    go_tier_is_ready "policy" "the API server's admission plugin" use_chart_tools build_api_servers build_injectors || return 0
    run_pytest policy "the policy, by the API server's own admission plugin" "$@" tests/policy
}

# The newest line of Kubernetes. EXEUNT_KUBERNETES_LINES names others, such as "1.34 1.37", or `all`: each takes minutes to build.
build_api_servers() {
    build_lines policy "the API server of Kubernetes" kubernetes 1.37 "${EXEUNT_KUBERNETES_LINES:-1.37}"
}
