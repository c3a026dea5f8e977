# shellcheck shell=bash
# Debian's packages, where we may install any.

# Installs packages; false for anybody but root and where there is no apt. The lists are fetched only when they turn out to be too old.
packages() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@")
    may_install || return
    attempt apt "installing $*" "${install[@]}" && return
    new_lists && step apt "installing $*" "${install[@]}"
}

# Fetches the lists of what there is; once, and false after that.
new_lists() {
    may_install && [[ -z ${LISTS_ARE_NEW:-} ]] || return
    LISTS_ARE_NEW=1
    step apt-update "fetching Debian's package lists" apt-get update
}

may_install() {
    [[ $EUID -eq 0 ]] && have apt-get
}
