# shellcheck shell=bash
# The Airflow package, on real Airflows: the current one, and the oldest that is supported. EXEUNT_AIRFLOW_LINES names others, such as "2.11",
# or `all`: each has a list airflow/tests/requirements-airflow-LINE.txt, and takes minutes.

read -ra AIRFLOWS <<<"${EXEUNT_AIRFLOW_LINES:-3.3 2.8}"
[[ ${AIRFLOWS[*]} != all ]] || AIRFLOWS=(3.3 2.11 2.8)

tier_airflow() {
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    wait_for_all
    use_venv
    local line python=$PYTHON
    for line in "${AIRFLOWS[@]}"; do
        if [[ ! -f airflow/tests/requirements-airflow-$line.txt ]]; then
            say "EXEUNT_AIRFLOW_LINES: there is no list of packages for Airflow $line: airflow/tests/requirements-airflow-$line.txt"
            count 0 1 0
        elif use_airflow "$line"; then
            PYTHON=$CACHE/airflow-venv-$line/bin/python
            test_airflow "$line" "$@"
        else
            skip "Airflow $line: airflow/tests/requirements-airflow-$line.txt could not be installed for $(python3 --version)"
        fi
    done
    PYTHON=$python
}

# An environment with that Airflow and the package, made again whenever its list has changed. The list is complete, so nothing has to be
# resolved.
use_airflow() {
    local folder=$CACHE/airflow-venv-$1
    use_environment "$folder" "airflow/tests/requirements-airflow-$1.txt" --no-deps || return
    # Its code is read from here; what the file says, such as entry points, is installed.
    ! cmp --silent airflow/pyproject.toml "$folder/has-package" || return 0
    step "airflow-package-$1" "installing exeunt-airflow into it" install_package "$folder/bin/python" || return
    cp airflow/pyproject.toml "$folder/has-package"
}

test_airflow() {
    local line=$1
    shift
    if [[ -x ${PYTHON%/*}/mypy ]]; then
        check mypy "lint: mypy of exeunt-airflow" env --chdir=airflow "$PYTHON" -m mypy --cache-dir "$CACHE/mypy"
    fi
    PYTEST_FOLDER=airflow run_pytest "airflow-$line" "the Airflow package, on Airflow $line" "$@" tests
}
