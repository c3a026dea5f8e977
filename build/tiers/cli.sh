# shellcheck shell=bash
# kubectl exeunt. Its dependencies are many, so `./build.sh test` leaves it out. Dashboard and alerts of its metrics are tested here, because
# they ask for what its code says.

tier_cli() {
    use_rust
    local code=0
    if cargo_has fmt rustfmt; then
        check fmt-cli "lint: rustfmt of kubectl exeunt" cargo fmt --manifest-path cli/Cargo.toml --check
    else
        skip "rustfmt: not part of this Rust (rustup component add rustfmt)"
    fi
    step cli "the tests of kubectl exeunt" cargo test --manifest-path cli/Cargo.toml --locked --no-fail-fast "$@" || code=$?
    count_cargo cli "$code"
    if cargo_has clippy clippy; then
        lint_level
        # It uses what the tests have built where it can.
        check clippy-cli "lint: clippy of kubectl exeunt" \
            cargo clippy --manifest-path cli/Cargo.toml --all-targets --locked -- "${LINT_LEVEL[@]}"
    else
        skip "clippy: not part of this Rust (rustup component add clippy)"
    fi
    if use_requirements; then
        test_forwarded
        test_monitoring
    else
        skip "a real Envoy, and the dashboard and the alerts: tests/requirements.txt could not be installed"
    fi
}

# The filter is only there because every Envoy of the harness has it: the command does not ask it.
test_forwarded() {
    if build_wasm; then
        run_pytest forwarded "\`kubectl exeunt end\` by port-forward, with a real Envoy" tests/forwarded
    else
        count 0 1 0
    fi
}

# Where Prometheus is missing, the tests that need it are skipped, and the others run.
test_monitoring() {
    programs promtool=prometheus prometheus=prometheus || true
    if step serve-metrics "building what serves metrics to Prometheus" \
        cargo build --manifest-path cli/Cargo.toml --locked --example serve_metrics; then
        run_pytest monitoring "the dashboard and the alerts, with a real Prometheus" tests/monitoring
    else
        count 0 1 0
    fi
}
