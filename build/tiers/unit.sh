# shellcheck shell=bash
# Unit and property tests.

tier_unit() {
    use_rust
    # Tests of the agent send signals with it; a bare Debian's shell has it built in, and nobody else.
    if [[ -z $(type -P kill) ]] && ! packages procps; then
        say "the program kill is missing: as root, apt-get install procps"
    fi
    local code=0
    step unit "unit and property tests" cargo test --workspace --locked --no-fail-fast "$@" || code=$?
    count_cargo unit "$code"
}
