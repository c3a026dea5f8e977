# shellcheck shell=bash
# Rust: the compiler, its targets, and tools that cargo installs.

# The oldest Rust that works, as Cargo.toml names it: the N of 1.N.
RUST_MINOR=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)

# Whether a compiler is new enough: for this project, or for the version in the second argument.
new_enough() {
    [[ $("$1" --version 2>/dev/null) =~ ^rustc\ 1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= ${2:-RUST_MINOR}))
}

# Makes sure that `cargo` and `rustc` in PATH are new enough; where they are not, a toolchain is installed into .cache/rustup.
use_rust() {
    [[ -z ${RUST_IS_READY:-} ]] || return 0
    if ! have cc && ! packages gcc libc6-dev ca-certificates; then
        missing "a C compiler" "$HINT"
    fi
    if have rustup && ! cargo --version >/dev/null 2>&1; then
        attempt rustup "rustup toolchain install" rustup toolchain install || true
    fi
    if ! { have cargo && new_enough rustc; } && ! use_own_rustup; then
        missing "Rust 1.$RUST_MINOR or newer" "install it with rustup (https://rustup.rs)"
    fi
    RUST_IS_READY=1
}

# Puts a toolchain of .cache/rustup first in PATH.
use_own_rustup() {
    local bin=$CACHE/rustup/bin
    export RUSTUP_HOME=$CACHE/rustup/home
    # rustup and cargo trust the certificates that the system trusts.
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages ca-certificates || true
    if [[ ! -x $bin/rustup ]]; then
        use_venv
        attempt rustup "installing rustup" install_list "$PYTHON" build/requirements/rustup.txt --target "$CACHE/rustup" || return
    fi
    PATH=$bin:$PATH
    if ! RUSTUP_AUTO_INSTALL=0 rustup which cargo >/dev/null 2>&1; then
        attempt rustup "rustup toolchain install" rustup toolchain install stable --profile minimal --component clippy,rustfmt \
            --no-self-update || return
    fi
    PATH=$(dirname "$(rustup which cargo)"):$PATH
    new_enough rustc
}

# Whether the compiler has the standard library of a target: installs it where rustup or Debian has it.
rust_has_target() {
    local target=$1
    [[ ! -d $(rustc --print target-libdir --target "$target" 2>/dev/null) ]] || return 0
    if have rustup; then
        attempt rustup "rustup target add $target" timeout 300 rustup target add "$target"
    elif [[ $target == wasm32-* && $(rustc --print sysroot) == /usr ]]; then
        packages libstd-rust-dev-wasm32
    fi
    [[ -d $(rustc --print target-libdir --target "$target" 2>/dev/null) ]]
}

# Whether cargo has a subcommand (fmt, clippy): installs its component where rustup has it.
cargo_has() {
    cargo "$1" --version >/dev/null 2>&1 && return
    have rustup && attempt rustup "rustup component add $2" timeout 300 rustup component add "$2" || return
    cargo "$1" --version >/dev/null 2>&1
}

# The compiler's flags for what is shipped: no path of this machine stays in it, so a build in another folder gives the same bytes. Where
# the component rust-src is installed, the compiler names its folder for inlined functions of the standard library; otherwise it names
# /rustc/COMMIT.
shipping_flags() {
    FLAGS=(
        "--remap-path-prefix=$ROOT=."
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates"
        "--remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"
    )
}

# Builds a package in release mode for a target with FLAGS: target, package, further arguments.
cargo_release() {
    CARGO_ENCODED_RUSTFLAGS=$(joined "${FLAGS[@]}") cargo build --release --locked --target "$1" --package "$2" "${@:3}"
}

# The arguments with the separator that cargo wants between flags, so a flag may contain a space.
joined() {
    local IFS=$'\x1f'
    printf '%s' "$*"
}

# Installs a program from crates.io into .cache/tools, once per version; fails where that is not possible.
cargo_tool() {
    local name=$1 version=$2 tools=$CACHE/tools
    shift 2
    export PATH=$tools/bin:$PATH
    [[ ! -e $tools/$name-$version ]] || return 0
    attempt "$name" "installing $name $version" env CARGO_TARGET_DIR="$tools/build" CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install "$name" --version "=$version" --root "$tools" --locked --force "$@" || return
    rm -rf "$tools/build"
    touch "$tools/$name-$version"
}
