# shellcheck shell=bash
# The policies of deploy/policy, in the API server's own admission plugins.

tier_policy() {
    # Istio's injector comes after the policy.
    go_tier_is_ready "policy" "the API server's admission plugins" use_chart_tools build_api_servers build_injectors || return 0
    run_pytest policy "the policies, by the API server's own admission plugins" "$@" tests/policy
}

# The newest line of Kubernetes. EXEUNT_KUBERNETES_LINES names others, such as "1.34 1.37", or `all`: each takes minutes to build.
build_api_servers() {
    build_lines policy "the API server of Kubernetes" kubernetes 1.37 "${EXEUNT_KUBERNETES_LINES:-1.37}"
}
