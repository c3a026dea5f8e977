# shellcheck shell=bash
# What ./build.sh prints about itself. Nothing here builds or installs anything.

# Each verb with its one line.
VERBS=(
    "demo         show, on a real Envoy, what different ways to end a pod lose"
    "test         run the tests: ./build.sh test; everything: ./build.sh test --all; some: ./build.sh test TIER..."
    "lint         run the lints alone"
    "wasm         build the filter: target/exeunt.wasm"
    "agent        build the static agent: target/exeunt-agent"
    "cli          build kubectl exeunt: target/kubectl-exeunt"
    "image        make the OCI images of both, push them, or check what Istio will say about one"
    "e2e          run the scenarios on a real cluster that has Istio"
    "bench        measure what exeunt costs: a drain, and on a cluster a Job and istiod"
    "release      make everything that a release publishes, or check that one can be made"
    "requirements write the lists of Python packages again, with the hash of every file"
    "clean        remove everything that was built or downloaded here"
)

is_verb() {
    local known
    for known in "${VERBS[@]}"; do
        [[ $1 != "${known%% *}" ]] || return 0
    done
    return 1
}

asks_for_help() {
    local word
    for word; do
        [[ $word != --help && $word != -h ]] || return 0
    done
    return 1
}

usage() {
    echo "usage: ./build.sh [--no-install] VERB [ARGUMENT...]"
    echo
    printf '  %s\n' "${VERBS[@]}"
    cat <<'TEXT'

./build.sh VERB --help says what a verb takes.

  --no-install  never install Debian packages: name those that are missing, and the command that installs them
                (EXEUNT_NO_INSTALL=1 does the same)
TEXT
}

# The help of one verb. Those with a program of their own print it themselves, with the machine's Python.
help_of() {
    local line
    case $1 in
    demo) help_by_python "$1" "$ROOT/demo/demo.py" --help ;;
    bench) help_of_bench "${@:2}" ;;
    e2e) help_by_python "$1" -P -m cluster --help ;;
    image) help_by_python "$1" -P -c 'import sys; from image.arguments import read; read(["--help"], sys.argv[1])' "$(version)" ;;
    test) help_of_test ;;
    *)
        for line in "${VERBS[@]}"; do
            [[ ${line%% *} != "$1" ]] || echo "$line"
        done
        case $1 in
        agent | cli) echo "usage: ./build.sh $1 [amd64|arm64]     (this machine's architecture)" ;;
        release)
            echo "usage: ./build.sh release --dry-run            everything of a release that needs no rights elsewhere"
            echo "       ./build.sh release --check TAG          whether every file names the version of the tag"
            echo "       ./build.sh release --build DIR [...]    all files and images of a release, into a new folder; [...] are options of"
            echo "                                               ./build.sh image, such as --cli linux/arm64=FILE"
            ;;
        *) echo "usage: ./build.sh $1" ;;
        esac
        ;;
    esac
}

help_by_python() {
    local verb=$1
    shift
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        missing "Python 3.11 or newer, which prints the help of $verb," "as root, apt-get install python3"
    fi
    PYTHONPATH=$ROOT:$ROOT/tests PYTHONDONTWRITEBYTECODE=1 python3 "$@"
}

help_of_test() {
    cat <<'TEXT'
usage: ./build.sh test                     the tests that a contributor runs
       ./build.sh test --all               everything, as continuous integration does
       ./build.sh test TIER... [OPTION...] these tiers alone; the options are for the last one's runner:
                                           ./build.sh test e2e -k signal

Tiers of ./build.sh test:
TEXT
    tiers_of test | print_tiers
    printf '\n%s\n' "Added by --all:"
    tiers_of all | print_tiers
}

print_tiers() {
    local name
    while read -r name; do
        printf '  %-11s %s\n' "$name" "$(tier_column "$name" 3)"
    done
}
