# shellcheck shell=bash
# Debian's packages, where installing them is possible and allowed.

# --no-install, or this variable, forbids it.
NO_INSTALL=${EXEUNT_NO_INSTALL:-}

# Installs packages and says so first. Where that fails, HINT says what to do.
packages() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@")
    HINT="as root, apt-get install $*"
    if ! have apt-get; then
        HINT+=" (on Debian)"
    elif [[ -n $NO_INSTALL ]]; then
        HINT+=" (--no-install forbids it)"
    elif ((EUID != 0)); then
        HINT+=" (this user is not root)"
    else
        # The lists of packages may be too old, or absent.
        attempt apt "installing the Debian packages $*" "${install[@]}" && return
        new_lists && step apt "installing the Debian packages $*" "${install[@]}" && return
    fi
    return 1
}

# Fetches the lists of packages; once, and fails after that.
new_lists() {
    [[ -z ${LISTS_ARE_NEW:-} ]] || return
    LISTS_ARE_NEW=1
    step apt-update "fetching Debian's package lists" apt-get update
}

# Installs the packages of the programs that are not in PATH, each given as PROGRAM=PACKAGE; one call of apt-get for all of them.
programs() {
    local pair wanted=()
    for pair; do
        [[ -n $(type -P "${pair%%=*}") ]] || wanted+=("${pair#*=}")
    done
    ((${#wanted[@]} == 0)) || packages "${wanted[@]}"
}
