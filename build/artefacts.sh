# shellcheck shell=bash
# What is shipped: the filter and the agent.

# In bytes. The module is pulled by every pod, the agent is resident in every pod: the figures that the README promises.
MAX_WASM=110000
MAX_AGENT=1300000

build_both() {
    build_wasm && build_agent || exit 1
}

# The filter, compiled so that a panic is a trap at once: nothing in it panics, and the machinery that would print one is a third of its
# size.
build_wasm() {
    use_std
    leave_paths_out
    # wasm-ld leaves five bytes for every number that it fills in; most need one or two.
    FLAGS+=(-Zunstable-options -Cpanic=immediate-abort -Clink-arg=--compress-relocations)
    step wasm "building target/exeunt.wasm" std_cargo wasm32-unknown-unknown std,panic_abort build \
        -Zbuild-std-features=optimize_for_size --package exeunt --lib --release --locked || return
    ship "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/exeunt.wasm" exeunt.wasm "$MAX_WASM" &&
        write_down exeunt.wasm wasm32-unknown-unknown
}

# The agent without any shared library, because the image that it lies in has none: with the musl of rustup or of Debian, else with glibc,
# which is 0.8 MB more.
build_agent() {
    use_std
    leave_paths_out
    FLAGS+=(-Ctarget-feature=+crt-static)
    local target libc
    target=$(uname -m)-unknown-linux-musl
    if [[ $STD_RUSTC == rustc ]] && rustup_has target "$target"; then
        # rustup's musl comes with everything, and does not tell its version.
        libc="musl of-rust-$(rust_version)"
    elif have musl-gcc || packages musl-tools; then
        use_musl_gcc
        libc="musl $(musl_version)"
    else
        target=$(uname -m)-unknown-linux-gnu
        libc="glibc $(glibc_version cc)"
    fi
    step agent "building target/exeunt-agent" std_cargo "$target" std,panic_abort build \
        -Zbuild-std-features=optimize_for_size --package exeunt-agent --release --locked || return
    ship "$CARGO_TARGET_DIR/$target/release/exeunt-agent" exeunt-agent "$MAX_AGENT" || return
    # shellcheck disable=SC2086 # a name and a version
    write_down exeunt-agent "$target" $libc
    if readelf --program-headers --wide target/exeunt-agent | grep -q INTERP; then
        say "target/exeunt-agent needs shared libraries: it would not start in an empty image"
        return 1
    fi
}

# Begins FLAGS, the compiler's flags, with those that keep the paths of this machine out of what is shipped.
leave_paths_out() {
    local sysroot
    sysroot=$("$STD_RUSTC" --print sysroot)
    FLAGS=(
        "--remap-path-prefix=$ROOT=."
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates"
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust"
        --remap-path-prefix=/usr/src=rust
    )
}

# Debian's musl has no unwinder; gcc's has, and asks glibc where a frame belongs. This answers that it does not know, and then it looks
# for itself.
use_musl_gcc() {
    local lib=$CACHE/musl
    mkdir -p "$lib"
    ln -sf "$(gcc -print-file-name=libgcc_eh.a)" "$lib/libunwind.a"
    gcc -x c -c -o "$lib/find_object.o" - <<<'int _dl_find_object(void *pc, void *result) { return -1; }'
    FLAGS+=(-Clinker=musl-gcc -Clink-self-contained=no -Crelocation-model=static "-L$lib" "-Clink-arg=$lib/find_object.o")
}

# Puts a built file where everybody looks for it; in one move, because an Envoy may be reading the old one.
ship() {
    local built=$1 name=$2 limit=$3 size
    mkdir -p target
    cp "$built" "target/.$name.new"
    mv "target/.$name.new" "target/$name"
    size=$(stat -c %s "target/$name")
    say "  target/$name: $size bytes"
    if ((size > limit)); then
        say "target/$name may have at most $limit bytes"
        return 1
    fi
}
