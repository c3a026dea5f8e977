# shellcheck shell=bash
# What a shipped binary was built with: its bill of materials names it.

# Writes target/NAME.json: the target, the version of Rust's standard library, and the C library where there is one. Arguments: name,
# target, and the C library's name and version.
write_down() {
    local name=$1 target=$2 libc=''
    [[ $# -lt 4 ]] || libc=", \"$3\": \"$4\""
    printf '{"target": "%s", "rust-std": "%s"%s}\n' "$target" "$(rust_version)" "$libc" >"target/.$name.json.new"
    mv "target/.$name.json.new" "target/$name.json"
}

rust_version() {
    rustc --version | cut -d ' ' -f 2
}

# The version of the glibc that the C compiler links.
glibc_version() {
    cc -E -P -x c - <<<$'#include <features.h>\n__GLIBC__ __GLIBC_MINOR__' | tail -n 1 | tr ' ' .
}
