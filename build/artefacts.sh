# shellcheck shell=bash
# What is shipped: the filter and the agent, built by a stable compiler.

# The limits in bytes, which the README promises: every pod pulls the module, and an agent runs in every pod.
MAX_WASM=170000
MAX_WASM_GZIP=75000
MAX_AGENT=1000000
# glibc is larger than musl; it is used only where the compiler has no musl.
MAX_AGENT_GLIBC=1600000

build_both() {
    build_wasm && build_agent || exit 1
}

# What measures a reading of the socket table, for the bench.
build_reading() {
    use_rust
    step reading "building crates/pod/examples/reading.rs" cargo build --release --quiet --package exeunt-pod --example reading
}

# The filter: compiled, then optimised for size by wasm-opt where npm is there.
build_wasm() {
    use_rust
    local target=wasm32-unknown-unknown built=$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/exeunt.wasm
    if ! rust_has_target "$target"; then
        say "$(rustc --version) has no target $target: rustup target add $target"
        return 1
    fi
    shipping_flags
    without_overflow_checks
    step wasm "building target/exeunt.wasm" cargo_release "$target" exeunt --lib || return
    if use_wasm_opt; then
        optimise "$built" "$built.optimised" || return
        ship "$built.optimised" exeunt.wasm "$MAX_WASM" "$MAX_WASM_GZIP" || return
        write_down exeunt.wasm "$target" wasm-opt "$(sed -n 's/^ *"binaryen": "\(.*\)"$/\1/p' build/npm/package.json)"
    else
        ship "$built" exeunt.wasm || return
        say "  wasm-opt did not optimise it, because npm is missing or could not install binaryen: the size limits were not checked"
        write_down exeunt.wasm "$target"
    fi
}

# The checks of the release profile would make the filter larger than its limits (docs/decisions/0019-limits-on-what-is-read.md).
without_overflow_checks() {
    FLAGS+=(-Coverflow-checks=off)
}

# The filter with a way to make it panic. Only tests use it.
build_panicking_wasm() {
    use_rust
    shipping_flags
    without_overflow_checks
    step wasm-panics "building target/exeunt-panics.wasm" \
        cargo_release wasm32-unknown-unknown exeunt --lib --features panics --target-dir "$CARGO_TARGET_DIR/panics" || return
    ship "$CARGO_TARGET_DIR/panics/wasm32-unknown-unknown/release/exeunt.wasm" exeunt-panics.wasm
}

# Installs wasm-opt into .cache/npm; fails where there is no npm, or where npm cannot get it.
use_wasm_opt() {
    local own=$CACHE/npm
    use_npm || return
    cmp --silent build/npm/package-lock.json "$own/package-lock.json" && [[ -e $own/installed ]] && return
    rm -rf "$own"
    mkdir -p "$own"
    cp build/npm/package.json build/npm/package-lock.json "$own"
    attempt npm "installing wasm-opt" env "npm_config_cache=$own/cache" npm_config_update_notifier=false \
        "${NPM[@]}" ci --prefix "$own" --ignore-scripts --no-audit --no-fund || return
    rm -rf "$own/cache"
    touch "$own/installed"
}

# Runs wasm-opt, unless the file was made from this input by this wasm-opt: input, output.
optimise() {
    local from
    from=$(cat "$1" build/npm/package-lock.json | sha256sum)
    [[ ! -e $2 ]] || ! cmp --silent "$2.from" - <<<"$from" || return 0
    step wasm-opt "optimising target/exeunt.wasm for size" wasm_opt "$1" "$2" || return
    echo "$from" >"$2.from"
}

# wasm-opt must know which features the compiler used; it calls one of them by another name.
wasm_opt() {
    local features
    mapfile -t features < <(rustc --print cfg --target wasm32-unknown-unknown |
        sed -n 's/^target_feature="\(.*\)"$/--enable-\1/p' | sed 's/nontrapping-fptoint$/nontrapping-float-to-int/')
    node "$CACHE/npm/node_modules/binaryen/bin/wasm-opt" -Oz "${features[@]}" "$1" -o "$2"
}

# The agent for an architecture (amd64 or arm64; this machine's by default). It is linked statically, because its image contains nothing
# else: with musl, or with glibc where the compiler has no musl. This machine's agent is target/exeunt-agent, another's has the
# architecture in its name.
build_agent() {
    local arch=${1:-$(this_arch)} name=exeunt-agent target libc limit=$MAX_AGENT
    [[ $arch == "$(this_arch)" ]] || name=exeunt-agent-$arch
    use_rust
    shipping_flags
    target=$(rust_arch "$arch")-unknown-linux-musl
    if rust_has_target "$target"; then
        # The compiler's own linker and musl: neither a cross compiler nor the machine's libraries take part.
        FLAGS+=(-Clinker=rust-lld)
        libc="musl of-rust-$(rust_version)"
    elif [[ $arch == "$(this_arch)" ]]; then
        target=$(rust_arch "$arch")-unknown-linux-gnu
        FLAGS+=(-Ctarget-feature=+crt-static)
        libc="glibc $(glibc_version)"
        limit=$MAX_AGENT_GLIBC
    else
        say "$(rustc --version) has no target $target: rustup target add $target"
        return 1
    fi
    step "$name" "building target/$name" cargo_release "$target" exeunt-agent || return
    ship "$CARGO_TARGET_DIR/$target/release/exeunt-agent" "$name" "$limit" || return
    # shellcheck disable=SC2086 # a name and a version
    write_down "$name" "$target" $libc
    if readelf --program-headers --wide "target/$name" | grep -q INTERP; then
        say "target/$name needs shared libraries: it would not start in an empty image"
        return 1
    fi
}

# The command for an architecture (this machine's by default), linked statically with musl. This machine's is target/kubectl-exeunt, another's
# has the architecture in its name. Only this machine's may be linked with glibc, and then it is for this machine alone.
build_cli() {
    local arch=${1:-$(this_arch)} name=kubectl-exeunt target compiler=${CC:-cc}
    [[ $arch == "$(this_arch)" ]] || name=kubectl-exeunt-$arch
    use_rust
    target=$(rust_arch "$arch")-unknown-linux-musl
    shipping_flags
    if rust_has_target "$target"; then
        FLAGS+=(-Clinker=rust-lld)
    elif [[ $arch == "$(this_arch)" ]]; then
        target=$(rust_arch "$arch")-unknown-linux-gnu
    else
        say "$(rustc --version) has no target $target: rustup target add $target"
        return 1
    fi
    if [[ $arch != "$(this_arch)" ]]; then
        compiler=$(rust_arch "$arch")-linux-gnu-gcc
        if ! have "$compiler" && ! packages "gcc-$(rust_arch "$arch" | tr _ -)-linux-gnu" "libc6-dev-$arch-cross"; then
            say "target/$name needs the C compiler $compiler: $HINT"
            return 1
        fi
    fi
    # The cryptography of its TLS has parts in C, which need nothing of a C library.
    export "CC_${target//-/_}=$compiler"
    step "$name" "building target/$name" cargo_release "$target" exeunt-cli --manifest-path cli/Cargo.toml || return
    ship "$CARGO_TARGET_DIR/$target/release/kubectl-exeunt" "$name" || return
    case $target in
    *-musl) write_down "$name" "$target" musl "of-rust-$(rust_version)" ;;
    *) write_down "$name" "$target" glibc "$(glibc_version)" ;;
    esac
}

# This machine's architecture, as images name it.
this_arch() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# The other of the two architectures that the images are for.
other_arch() {
    [[ $(this_arch) == amd64 ]] && echo arm64 || echo amd64
}

# An architecture of images, as Rust names it.
rust_arch() {
    case $1 in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) echo "$1" ;;
    esac
}

# Moves a built file to where every user of it looks. The move is atomic, because an Envoy may be reading the old file. Arguments: file,
# name, and the limits in bytes, plain and gzipped, where they apply.
ship() {
    local built=$1 name=$2 limit=${3:-} gzip_limit=${4:-} size zipped
    mkdir -p target
    cp "$built" "target/.$name.new"
    mv "target/.$name.new" "target/$name"
    size=$(stat -c %s "target/$name")
    zipped=$(gzip --best --no-name --stdout "target/$name" | wc -c)
    say "  target/$name: $size bytes, $zipped gzipped"
    if [[ -n $limit ]] && ((size > limit)); then
        say "target/$name is too large: at most $limit bytes are allowed"
        return 1
    fi
    if [[ -n $gzip_limit ]] && ((zipped > gzip_limit)); then
        say "target/$name is too large: at most $gzip_limit bytes are allowed when gzipped"
        return 1
    fi
}
