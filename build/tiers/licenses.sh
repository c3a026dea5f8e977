# shellcheck shell=bash
# What the dependencies are, where they come from, and their licenses.

CARGO_DENY=0.20.2

tier_licenses() {
    use_rust
    # Without the features that need TLS and the advisory database's git; a check of this size needs no optimised build.
    if cargo_tool cargo-deny "$CARGO_DENY" --debug --no-default-features; then
        check deny "licenses: cargo-deny" cargo deny --locked check bans licenses sources
        check deny-cli "licenses: cargo-deny of kubectl exeunt" cargo deny --manifest-path cli/Cargo.toml --locked check bans licenses sources
    else
        skip "cargo-deny: it could not be installed (cargo install --locked cargo-deny)"
    fi
}
