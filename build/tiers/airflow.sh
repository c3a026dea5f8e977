# shellcheck shell=bash
# The Airflow package, on real Airflows: the current one, and the oldest that is supported.

tier_airflow() {
    if ! build_wasm || ! build_agent; then
        count 0 1 0
        return
    fi
    # Pods without a cluster need these, and root; Airflow's XCom helper is ended with pgrep. The tests say so where they are missing.
    if ! { have iptables && have ip && have pgrep; } && ! packages iptables iproute2 procps; then
        say "iptables, ip or pgrep is missing: the tests that run pods will be skipped"
    fi
    use_venv
    local line python=$PYTHON
    for line in 3.3 2.8; do
        if use_airflow "$line"; then
            test_airflow "$line" "$@"
        else
            skip "Airflow $line: airflow/tests/requirements-airflow-$line.txt could not be installed for $(python3 --version)"
        fi
    done
    PYTHON=$python
}

# Sets PYTHON to the interpreter of an environment with that Airflow and the package, made anew whenever its list has changed.
use_airflow() {
    local folder=$CACHE/airflow-venv-$1 list=airflow/tests/requirements-airflow-$1.txt
    PYTHON=$folder/bin/python
    if ! cmp --silent "$list" "$folder/requirements.txt"; then
        step "airflow-venv-$1" "making an environment with Airflow $1" python3 -m venv --clear "$folder" || return
        # The list is complete, so nothing has to be resolved.
        attempt "airflow-pip-$1" "installing Airflow $1" "$PYTHON" -m pip install --disable-pip-version-check --no-input \
            --no-deps --requirement "$list" || return
        step "airflow-package-$1" "installing exeunt-airflow into it" "$PYTHON" -m pip install --disable-pip-version-check \
            --no-input --no-deps --editable airflow || return
        cp "$list" "$folder/requirements.txt"
    fi
}

test_airflow() {
    local line=$1 code=0 report=$LOGS/airflow-$1.xml
    shift
    if [[ -x ${PYTHON%/*}/mypy ]]; then
        check mypy "lint: mypy of exeunt-airflow" env --chdir=airflow "$PYTHON" -m mypy --cache-dir "$CACHE/mypy"
    fi
    rm -f "$report"
    step "airflow-$line" "the Airflow package, on Airflow $line" env --chdir=airflow "$PYTHON" -m pytest --junit-xml="$report" \
        -o junit_logging=no "$@" tests || code=$?
    # shellcheck disable=SC2046 # three numbers
    count_checked "airflow-$line" "$code" $(junit_counts "$report")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(sed -n "s/^SKIPPED /Airflow $line: /p" "$LOGS/airflow-$line.log")
}
