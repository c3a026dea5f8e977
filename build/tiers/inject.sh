# shellcheck shell=bash
# The injection template of deploy/istio, rendered by Istio's own injector.

tier_inject() {
    go_tier_is_ready "injection template" "Istio's injector" use_chart_tools build_injectors || return 0
    run_pytest inject "the injection template, by Istio's own injector" "$@" tests/inject
}

# The oldest line, whose injector tells the template least. EXEUNT_ISTIO_LINES names others, such as "1.24 1.29", or `all`: each takes
# minutes to build.
build_injectors() {
    build_lines inject "the injector of Istio" istio 1.31 "${EXEUNT_ISTIO_LINES:-1.24}"
}
