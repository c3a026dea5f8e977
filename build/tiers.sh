# shellcheck shell=bash
# The verb test: which tiers there are, which of them run, and how their tests are counted.

# Every tier, in the order in which they run: first those that are limited by the processors, then those that measure time with real
# proxies. The columns are NAME | RUN | WHAT IT TESTS | PROGRAMS. RUN is `test` for a tier of ./build.sh test, and `all` for a tier that only
# --all adds, because it needs large builds or much time. PROGRAMS are those that Debian has, as PROGRAM=PACKAGE.
TIERS=(
    "lint       | test | format and lints of Rust, Python, shell, YAML and workflows                         |"
    "verbs      | test | ./build.sh itself: its help, its options, and what it refuses                       |"
    "unit       | test | unit and property tests, and a thousand simulated pods                              | kill=procps"
    "wasm       | test | the tests of crates/drain as WebAssembly, in Node.js                                |"
    "host       | test | the shipped filter in V8, against a small host                                      |"
    "texts      | test | links, quotes and values of the documents; the rules of releases and of downloads   |"
    "cluster    | test | the logic of ./build.sh e2e and bench, without a cluster                            |"
    "licenses   | all  | the licenses and sources of all dependencies                                        |"
    "cli        | all  | kubectl exeunt: rules, output, metrics, and what an API server can do to it          | promtool=prometheus prometheus=prometheus groff=groff-base"
    "fuzz       | all  | every parser of outside data, some seconds each                                     | g++=g++"
    "chart      | all  | chart, manifests, samples and documented commands, checked by Kubernetes' own code  | skopeo=skopeo docker-registry=docker-registry openssl=openssl"
    "inject     | all  | the injection template, rendered by Istio's own injector                             |"
    "policy     | all  | the policy of Kubernetes, in the API server's own admission plugin                   |"
    "kyverno    | all  | the policies for Kyverno, in Kyverno's own engines                                   |"
    "image      | all  | the images, in real registries and with Istio's own fetcher                         | skopeo=skopeo docker-registry=docker-registry openssl=openssl qemu-aarch64-static=qemu-user-static"
    "e2e        | test | filter and agent with real Envoys (--all: three releases; otherwise the newest)     | iptables=iptables ip=iproute2 strace=strace"
    "containers | all  | pods of real containers                                                             | podman=podman runc=runc conmon=conmon netavark=netavark catatonit=catatonit iptables=iptables ip=iproute2"
    "airflow    | all  | the Airflow package, in the newest and the oldest supported Airflow                 | iptables=iptables ip=iproute2 pgrep=procps"
)

# A tier's column, by its number from 1.
tier_column() {
    local row
    for row in "${TIERS[@]}"; do
        [[ ${row%% *} == "$1" ]] || continue
        cut -d '|' -f "$2" <<<"$row" | sed 's/^ *//; s/ *$//'
    done
}

# The names of the tiers, one a line: those with that RUN, or every one.
tiers_of() {
    printf '%s\n' "${TIERS[@]}" | awk -F ' *[|] *' -v run="${1:-}" 'run == "" || $2 == run { print $1 }'
}

is_tier() {
    [[ -n $(tier_column "${1:-|}" 1) ]]
}

verb_test() {
    local tiers=() left=() tier number=0 start cpu
    while is_tier "${1:-}"; do
        tiers+=("$1")
        shift
    done
    # Whether each tier runs everything that it has.
    THOROUGH=1
    if ((${#tiers[@]} == 0)); then
        case ${1:-} in
        '')
            THOROUGH=
            mapfile -t tiers < <(tiers_of test)
            mapfile -t left < <(tiers_of all)
            ;;
        --all)
            shift
            (($# == 0)) || wrong "--all takes nothing after it, and there is $1: ./build.sh test --help"
            mapfile -t tiers < <(tiers_of)
            ;;
        *) wrong "there is no tier $1: ./build.sh test --help lists the tiers" ;;
        esac
    fi
    ready_for "${tiers[@]}"
    for tier in "${tiers[@]}"; do
        number=$((number + 1))
        read_processor_time
        start=$SECONDS cpu=$PROCESSOR_TIME
        say "[$number/${#tiers[@]}] $tier: $(tier_column "$tier" 3)"
        # The options are for the last tier's runner.
        if ((number == ${#tiers[@]})); then "tier_$tier" "$@"; else "tier_$tier"; fi
        read_processor_time
        say "[$number/${#tiers[@]}] $tier: $((SECONDS - start)) s, $((PROCESSOR_TIME - cpu)) s of processor time$(still_to_run "${tiers[@]:number}")"
    done
    if ((${#SKIPS[@]} > 0)); then
        printf 'SKIPPED %s\n' "${SKIPS[@]}"
    fi
    if ((${#left[@]} > 0)); then
        echo "not run: ${left[*]}, and older Envoys in e2e; ./build.sh test --all runs everything"
    fi
    wait_for_all
    # Go's caches have two gigabytes. A link leads to those of another checkout, which may be using them.
    [[ -z ${GOCACHE:-} || -L $CACHE/go ]] || rm -rf "$GOCACHE" "$GOMODCACHE"
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    ((FAILED == 0)) || exit 1
}

still_to_run() {
    (($# == 0)) || printf '; still to run: %s' "$*"
}

# Installs the Debian packages of all the tiers at once, before the first begins. Where that is not possible, the tests that need them say
# so and are skipped.
ready_for() {
    local tier needs=()
    for tier; do
        read -r -a pairs <<<"$(tier_column "$tier" 4)"
        needs+=("${pairs[@]}")
    done
    mapfile -t needs < <(printf '%s\n' "${needs[@]}" | sort -u | sed '/^$/d')
    ((${#needs[@]} == 0)) || programs "${needs[@]}" || say "some tests will be skipped: $HINT"
    prepare "$@"
}

PASSED=0
FAILED=0
SKIPPED=0
SKIPS=()

count() {
    PASSED=$((PASSED + $1))
    FAILED=$((FAILED + $2))
    SKIPPED=$((SKIPPED + $3))
}

# Says at once what cannot run here; it is said again at the end.
skip() {
    say "SKIPPED $1"
    SKIPS+=("$1")
    count 0 0 1
}

# Runs pytest as a step, counts its tests and keeps what was skipped: name of the tier, what the step says, pytest's arguments.
run_pytest() {
    local name=$1 label=$2 code=0
    shift 2
    rm -f "$LOGS/$name.xml"
    step "$name" "$label" pytest_command "$name" . "$PYTHON" "$@" || code=$?
    count_pytest "$name" "$code"
}

# One run of pytest: its name, the folder in which it runs, its Python, and its arguments. A script that starts build.sh in the background
# makes it ignore interrupts, but some tests send them.
pytest_command() {
    env --default-signal=INT --chdir="$2" "$3" -m pytest --junit-xml="$LOGS/$1.xml" -o junit_logging=no "${@:4}"
}

# Counts the tests of a run: its name and its exit code.
count_pytest() {
    local name=$1
    # shellcheck disable=SC2046 # three numbers
    count_checked "$name" "$2" $(junit_counts "$LOGS/$name.xml")
    mapfile -t -O "${#SKIPS[@]}" SKIPS < <(
        sed -n -e "s/^SKIPPED /$name: /p" -e "s/^XFAIL /$name, known to fail: /p" "$LOGS/$name.log"
    )
}

# The passed, failed and skipped tests of a report in JUnit's form; nothing where there is no report.
junit_counts() {
    [[ ! -f $1 ]] || "$PYTHON" - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as ElementTree

suite = next(ElementTree.parse(sys.argv[1]).iter("testsuite"))
tests, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
print(tests - failures - errors - skipped, failures + errors, skipped)
PYTHON
}

# Adds up the lines `test result: ok. 14 passed; 0 failed; 0 ignored; …` of a log.
count_cargo() {
    # shellcheck disable=SC2046 # three numbers
    count_checked "$1" "$2" $(awk '/^test result:/ { for (i = 4; i <= NF; i++) sum[$i] += $(i - 1) }
        END { print sum["passed;"] + 0, sum["failed;"] + 0, sum["ignored;"] + 0 }' "$LOGS/$1.log")
}

# Adds a tier's numbers. A runner that failed without a failed test (it did not compile, it crashed) counts as a failure, and so does one
# that reports no test.
count_checked() {
    local name=$1 code=$2 passed=${3:-0} failed=${4:-0} skipped=${5:-0}
    if ((failed == 0 && (code != 0 || passed + skipped == 0))); then
        failed=1
    fi
    say "  $name: $passed passed, $failed failed, $skipped skipped"
    count "$passed" "$failed" "$skipped"
}
