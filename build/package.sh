# shellcheck shell=bash
# The Airflow package. It is built by the hatchling of build/requirements/package.txt, and not by the one that pip would fetch without a hash.

# Builds the wheel and the source archive, as PyPI gets them: folder. The same commit gives the same bytes.
build_package() {
    use_environment "$CACHE/venv-package" build/requirements/package.txt || return
    step package "building the package for PyPI" in_airflow env \
        "SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" "$CACHE/venv-package/bin/python" -m hatchling build -d "$1"
}

# Installs the package into an environment, so that it reads its files from airflow/src: the environment's Python.
install_package() {
    local wheels=$CACHE/package-editable
    use_environment "$CACHE/venv-package" build/requirements/package.txt || return
    rm -rf "$wheels"
    mkdir -p "$wheels"
    in_airflow "$CACHE/venv-package/bin/python" -c 'import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])' \
        "$wheels" || return
    "$1" -m pip install --disable-pip-version-check --no-input --no-index --no-deps "$wheels"/*.whl
}

in_airflow() {
    env --chdir=airflow "$@"
}
