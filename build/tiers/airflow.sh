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
    local line ready=()
    for line in "${AIRFLOWS[@]}"; do
        if [[ ! -f airflow/tests/requirements-airflow-$line.txt ]]; then
            say "EXEUNT_AIRFLOW_LINES: there is no list of packages for Airflow $line: airflow/tests/requirements-airflow-$line.txt"
            count 0 1 0
        elif use_airflow "$line"; then
            check_types "$line"
            ready+=("$line")
        else
            skip "Airflow $line: airflow/tests/requirements-airflow-$line.txt could not be installed for $(python3 --version)"
        fi
    done
    ((${#ready[@]} == 0)) || test_airflows "$@"
}

# The tests of all lines that are `ready`, side by side: they wait more than they compute, and each pod has its own network.
test_airflows() {
    local line code
    for line in "${ready[@]}"; do
        rm -f "$LOGS/airflow-$line."{xml,code}
    done
    step airflow "the Airflow package, on Airflow ${ready[*]}" side_by_side "$@" || true
    for line in "${ready[@]}"; do
        code=$(cat "$LOGS/airflow-$line.code") || code=1
        count_pytest "airflow-$line" "$code"
    done
}

# The output of what failed is printed: it becomes the log of the step.
side_by_side() {
    local line runs=() code=0
    for line in "${ready[@]}"; do
        run_line "$line" "$@" &
        runs+=($!)
    done
    for line in "${runs[@]}"; do
        wait "$line" || code=1
    done
    return "$code"
}

run_line() {
    local line=$1 code=0
    shift
    pytest_command "airflow-$line" airflow "$(python_of "$line")" "$@" tests >"$LOGS/airflow-$line.log" 2>&1 || code=$?
    echo "$code" >"$LOGS/airflow-$line.code"
    ((code == 0)) || { echo "Airflow $line:" && cat "$LOGS/airflow-$line.log"; }
    return "$code"
}

python_of() {
    echo "$CACHE/airflow-venv-$1/bin/python"
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

check_types() {
    local python
    python=$(python_of "$1")
    [[ ! -x ${python%/*}/mypy ]] || check mypy "lint: mypy of exeunt-airflow" env --chdir=airflow "$python" -m mypy --cache-dir "$CACHE/mypy"
}
