# shellcheck shell=bash
# The verb bench: what exeunt costs. Each subject has a program of its own in bench/.

verb_bench() {
    case ${1:-} in
    jobs)
        [[ -n ${EXEUNT_WASM:-} ]] || build_wasm || exit 1
        use_cluster_venv || exit 1
        run_bench "$@"
        ;;
    istiod)
        build_proxies || exit 1
        use_cluster_venv || exit 1
        run_bench "$@"
        ;;
    '' | -*)
        build_both
        build_reading || exit 1
        use_venv
        run_bench drain "$@"
        ;;
    *) wrong "there is no bench $1: must be jobs or istiod, or nothing" ;;
    esac
}

# Runs the program of a subject.
run_bench() {
    cd "$CALLER"
    exec "$PYTHON" "$ROOT/bench/$1.py" "${@:2}"
}

help_of_bench() {
    case ${1:-} in
    jobs | istiod) help_by_python bench "$ROOT/bench/$1.py" --help ;;
    *)
        help_by_python bench "$ROOT/bench/drain.py" --help
        cat <<'TEXT'

On a cluster with Istio:
  ./build.sh bench jobs --help     how much later a task starts, and who pulls the plugin
  ./build.sh bench istiod --help   what the plugin costs istiod
TEXT
        ;;
    esac
}

# The xDS client that is many proxies.
build_proxies() {
    local source=bench/proxies built=$CACHE/tools/bench/proxies stamp=$CACHE/tools/bench/proxies.txt
    use_go || missing "Go 1.$GO_MINOR or newer, which builds the proxies," "https://go.dev/dl"
    if [[ -x $built ]] && cat "$source"/* | cmp --silent - "$stamp"; then
        return
    fi
    mkdir -p "$CACHE/tools/bench"
    # Its figures are worth nothing if it does not subscribe as Envoy does.
    step bench-proxies-test "testing bench/proxies" go test -C "$source" "${GO_BUILD[@]}" -mod=readonly . || return
    step bench-proxies "building bench/proxies" \
        go build -C "$source" "${GO_BUILD[@]}" -mod=readonly -o "$built" . || return
    cat "$source"/* >"$stamp"
}
