# shellcheck shell=bash
# Rust: which compiler, which std, which of cargo's tools.

# The oldest Rust that will do, as Cargo.toml says: the N of 1.N.
RUST_MINOR=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)
# The toolchain that Debian keeps current for its browsers, with what it takes to build for WebAssembly.
RUST_PACKAGES=(ca-certificates rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-19 gcc libc6-dev)

# Whether a compiler is new enough: for us, or for what the second word says.
new_enough() {
    [[ $("$1" --version 2>/dev/null) =~ ^rustc\ 1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= ${2:-RUST_MINOR}))
}

# Whether rustup has a target or a component for the toolchain in use; fetches it where it can.
rustup_has() {
    have rustup && [[ $RUSTC_ == rustc ]] || return 1
    rustup "$1" list --installed 2>/dev/null | grep -q "^$2" || attempt rustup "rustup $1 add $2" timeout 300 rustup "$1" add "$2"
}

# Sets CARGO, the words that call cargo, and RUSTC_: whatever is first in PATH if it is new enough, else Debian's.
use_rust() {
    [[ -z ${RUSTC_:-} ]] || return 0
    if ! have cc && ! packages gcc libc6-dev; then
        missing "a C compiler" "as root, apt-get install gcc libc6-dev"
    fi
    if have rustup && ! cargo --version >/dev/null 2>&1; then
        attempt rustup "rustup toolchain install" rustup toolchain install || true
    fi
    if have cargo && new_enough rustc; then
        RUSTC_=rustc
        CARGO=(cargo)
        return
    fi
    # What apt has known so far may be an older one.
    if ! new_enough /usr/bin/rustc && ! { packages "${RUST_PACKAGES[@]}" && new_enough /usr/bin/rustc; } &&
        ! { new_lists && packages "${RUST_PACKAGES[@]}" && new_enough /usr/bin/rustc; }; then
        missing "Rust 1.$RUST_MINOR or newer" "install rustup, or as root apt-get install ${RUST_PACKAGES[*]}"
    fi
    RUSTC_=/usr/bin/rustc
    CARGO=(env RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc /usr/bin/cargo)
}

# Whether cargo has a verb; fetches it where it can: the verb, rustup's component, Debian's package.
cargo_has() {
    "${CARGO[@]}" "$1" --version >/dev/null 2>&1 && return
    rustup_has component "$2" || packages "$3" || return
    "${CARGO[@]}" "$1" --version >/dev/null 2>&1
}

# Sets STD_RUSTC to a compiler that has the source of its std. What is shipped is built with a std of our own, because the one that comes
# compiled has been compiled for speed.
use_std() {
    use_rust
    [[ -z ${STD_RUSTC:-} ]] || return 0
    if can_build_std "$RUSTC_"; then
        STD_RUSTC=$RUSTC_
    elif rustup_has component rust-src && can_build_std "$RUSTC_"; then
        STD_RUSTC=$RUSTC_
    elif can_build_std /usr/bin/rustc || { packages "${RUST_PACKAGES[@]}" && can_build_std /usr/bin/rustc; }; then
        STD_RUSTC=/usr/bin/rustc
    else
        missing "the source of Rust's std" "rustup component add rust-src, or as root apt-get install ${RUST_PACKAGES[*]}"
    fi
}

can_build_std() {
    new_enough "$1" && [[ -d $("$1" --print sysroot)/lib/rustlib/src/rust/library && -n $(wasm_linker "$1") ]]
}

# The linker for WebAssembly: the compiler's own, as rustup brings it, else the newest of Debian's.
wasm_linker() {
    local own
    own=$("$1" --print sysroot)/lib/rustlib/$("$1" --print host-tuple)/bin/rust-lld
    if [[ -x $own ]]; then
        echo rust-lld
    else
        find /usr/lib/llvm-*/bin -name wasm-ld 2>/dev/null | sort --version-sort | tail -n 1
    fi
}

# Calls cargo with FLAGS for a target, building those crates of std, too: target, crates of std, cargo's verb and its other words. That is
# not a stable feature of Rust, and RUSTC_BOOTSTRAP is how a stable toolchain is told that this is known.
std_cargo() {
    local target=$1 std=$2 verb=$3 cargo=cargo flags=("${FLAGS[@]}")
    shift 3
    [[ $STD_RUSTC == rustc ]] || cargo=/usr/bin/cargo
    [[ $target != wasm32-* ]] || flags+=("-Clinker=$(wasm_linker "$STD_RUSTC")")
    RUSTC_BOOTSTRAP=1 RUSTC=$STD_RUSTC CARGO_ENCODED_RUSTFLAGS=$(joined "${flags[@]}") \
        "$cargo" "$verb" "-Zbuild-std=$std" --target "$target" "$@"
}

# As cargo wants its flags, so that one may have a space in it.
joined() {
    local IFS=$'\x1f'
    printf '%s' "$*"
}

# Installs a tool of crates.io into .cache/tools, once per version; false where that cannot be done.
cargo_tool() {
    local name=$1 version=$2 tools=$CACHE/tools
    shift 2
    export PATH=$tools/bin:$PATH
    [[ ! -e $tools/$name-$version ]] || return 0
    attempt "$name" "installing $name $version" env CARGO_TARGET_DIR="$tools/build" \
        "${CARGO[@]}" install "$name" --version "=$version" --root "$tools" --locked --force "$@" || return
    rm -rf "$tools/build"
    touch "$tools/$name-$version"
}
