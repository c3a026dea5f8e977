# shellcheck shell=bash
# What a shipped binary was built with; its bill of materials names it.

# Writes target/NAME.json: the target, Rust's standard library, and the C library where there is one: name, target, library, version.
write_down() {
    local name=$1 target=$2 libc=''
    [[ $# -lt 4 ]] || libc=", \"$3\": \"$4\""
    printf '{"target": "%s", "rust-std": "%s"%s}\n' "$target" "$(rust_version)" "$libc" >"target/.$name.json.new"
    mv "target/.$name.json.new" "target/$name.json"
}

rust_version() {
    "$STD_RUSTC" --version | cut -d ' ' -f 2
}

# musl's loader, called by its own name, tells what it is; on stderr, and as a failure.
musl_version() {
    { "/lib/ld-musl-$(uname -m).so.1" 2>&1 || true; } | sed -n 's/^Version //p'
}

# The version of the glibc that a C compiler would link.
glibc_version() {
    "$1" -E -P -x c - <<<$'#include <features.h>\n__GLIBC__ __GLIBC_MINOR__' | tail -n 1 | tr ' ' .
}
