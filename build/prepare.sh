# shellcheck shell=bash
# What later tiers need and takes long to get, prepared at low priority while the first tiers run: the programs that Go builds, and the
# environments with Airflow. A tier that needs one of them waits for it. What could not be prepared is tried again by its tier, which then
# reports why it fails.

# The processes that prepare something, by what they prepare.
declare -A PREPARING=()

# Starts what these tiers need. A single tier would only wait for it.
prepare() {
    local of=" $* "
    (($# > 1)) || return 0
    if [[ $of == *" chart "* || $of == *" inject "* || $of == *" policy "* || $of == *" image "* ]] && use_go; then
        use_requirements || return 0
        in_background go prepare_go "$of"
    fi
    if [[ $of == *" airflow "* ]]; then
        use_venv
        in_background airflow prepare_airflow
    fi
}

prepare_go() {
    use_chart_tools
    [[ $1 != *" inject "* && $1 != *" policy "* ]] || build_injectors
    [[ $1 != *" policy "* ]] || build_api_servers
    [[ $1 != *" image "* ]] || build_istio_judge
}

prepare_airflow() {
    local line
    for line in "${AIRFLOWS[@]}"; do
        use_airflow "$line"
    done
}

in_background() {
    local name=$1
    mkdir -p "$LOGS"
    say "preparing meanwhile: $name (.cache/log/prepare-$name.log)"
    (
        trap interrupted INT TERM
        PREPARING=()
        renice -n "$(($(nice) + 10))" -p "$BASHPID" >/dev/null
        "${@:2}"
    ) >"$LOGS/prepare-$name.log" 2>&1 </dev/null &
    PREPARING[$name]=$!
}

# Waits until something has been prepared, where it was begun.
wait_for() {
    local name=$1 start=$SECONDS
    [[ -n ${PREPARING[$name]:-} ]] || return 0
    wait "${PREPARING[$name]}" || true
    unset "PREPARING[$name]"
    ((SECONDS - start < 2)) || say "waited for what is prepared in the background: $name: $((SECONDS - start)) s"
}

# Waits for everything, so that tests that measure time have the machine to themselves.
wait_for_all() {
    local name
    for name in "${!PREPARING[@]}"; do
        wait_for "$name"
    done
}
