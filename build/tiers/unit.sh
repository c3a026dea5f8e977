# shellcheck shell=bash
# Unit and property tests.

tier_unit() {
    use_rust
    local code=0
    step unit "unit and property tests" cargo test --workspace --locked --no-fail-fast "$@" || code=$?
    count_cargo unit "$code"
}
