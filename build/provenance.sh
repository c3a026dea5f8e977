# shellcheck shell=bash
# What a shipped binary was built with: its bill of materials names it.

# Writes target/NAME.json: the target, the version of Rust's standard library, and further names with their versions: the C library of an
# agent, and wasm-opt where it optimised the filter. Arguments: name, target, and the pairs.
write_down() {
    local name=$1 target=$2 more=
    shift 2
    (($# == 0)) || more=$(printf ', "%s": "%s"' "$@")
    printf '{"target": "%s", "rust-std": "%s"%s}\n' "$target" "$(rust_version)" "$more" >"target/.$name.json.new"
    mv "target/.$name.json.new" "target/$name.json"
}

rust_version() {
    rustc --version | cut -d ' ' -f 2
}

# The version of the glibc that the C compiler links.
glibc_version() {
    cc -E -P -x c - <<<$'#include <features.h>\n__GLIBC__ __GLIBC_MINOR__' | tail -n 1 | tr ' ' .
}
