# shellcheck shell=bash
# The lints of all languages.

ACTIONLINT=1.7.12
# The newest Rust whose lints this code is known to pass: 1.N. The lints of a newer one are only in the log.
LINTED_MINOR=96

# A lint tool is one test.
check() {
    if step "lint-$1" "$2" "${@:3}"; then count 1 0 0; else count 0 1 0; fi
}

# Sets LINT_LEVEL: a warning is an error, unless this Rust may have lints that nobody has seen.
lint_level() {
    LINT_LEVEL=(-D warnings)
    if new_enough rustc $((LINTED_MINOR + 1)); then
        LINT_LEVEL=()
    fi
}

tier_lint() {
    use_rust
    if cargo_has fmt rustfmt; then
        check fmt "lint: rustfmt" cargo fmt --all --check
        check fmt-fuzz "lint: rustfmt of the fuzz targets" cargo fmt --manifest-path fuzz/Cargo.toml --check
    else
        skip "rustfmt: not part of this Rust (rustup component add rustfmt)"
    fi
    if cargo_has clippy clippy; then
        lint_level
        check clippy "lint: clippy" cargo clippy --workspace --all-targets --locked -- "${LINT_LEVEL[@]}"
        if rust_has_target wasm32-unknown-unknown; then
            check clippy-wasm "lint: clippy of the filter, for WebAssembly" \
                cargo clippy --target wasm32-unknown-unknown --package exeunt --locked -- "${LINT_LEVEL[@]}"
        else
            skip "clippy for WebAssembly: $(rustc --version) has no target wasm32-unknown-unknown"
        fi
    else
        skip "clippy: not part of this Rust (rustup component add clippy)"
        skip "clippy for WebAssembly: not part of this Rust"
    fi
    # The agent's other architecture: nothing of it runs here, but it must compile.
    if rust_has_target aarch64-unknown-linux-musl; then
        check aarch64 "lint: the agent for aarch64" cargo check --target aarch64-unknown-linux-musl --package exeunt-agent --locked
    else
        skip "the agent for aarch64: $(rustc --version) has no target aarch64-unknown-linux-musl"
    fi
    if use_requirements; then
        local scripts
        # The files in build/ are parts of build.sh, and are checked with it.
        mapfile -t scripts < <(find . \( -name target -o -name .cache -o -name .git -o -path ./build \) -prune -o -name '*.sh' -print)
        check shellcheck "lint: shellcheck" "$CACHE/venv/bin/shellcheck" --external-sources --check-sourced "${scripts[@]}" .ci/run
        check ruff "lint: ruff check" "$CACHE/venv/bin/ruff" check --no-cache .
        check ruff-format "lint: ruff format" "$CACHE/venv/bin/ruff" format --no-cache --check .
        check yamllint "lint: yamllint" "$CACHE/venv/bin/yamllint" --strict .
        if go_tool actionlint github.com/rhysd/actionlint/cmd/actionlint "$ACTIONLINT"; then
            # It checks the scripts in the workflows with shellcheck.
            check actionlint "lint: actionlint" actionlint -shellcheck "$CACHE/venv/bin/shellcheck" -pyflakes= .github/workflows/*.yml
        else
            skip "actionlint: Go is missing, or could not fetch it (go install github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT)"
        fi
    else
        skip "shellcheck, ruff, yamllint and actionlint: tests/requirements.txt could not be installed"
    fi
}
