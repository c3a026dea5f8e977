# shellcheck shell=bash
# ./build.sh itself.

tier_verbs() {
    if ! use_requirements; then
        skip "./build.sh itself: tests/requirements.txt could not be installed"
        return
    fi
    run_pytest verbs "./build.sh itself" "$@" tests/verbs
}
