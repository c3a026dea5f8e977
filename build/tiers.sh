# shellcheck shell=bash
# The verb test: which tiers there are, and how their tests are counted.

# Every tier, in the order in which they run: what fails fast comes first.
TIERS=(lint unit wasm host fuzz chart image e2e containers airflow cluster)

verb_test() {
    local tiers=() tier
    while [[ " ${TIERS[*]} " == *" ${1:-none} "* ]]; do
        tiers+=("$1")
        shift
    done
    if ((${#tiers[@]} == 0)); then
        [[ $# -eq 0 ]] || wrong "unknown tier $1: must be one of ${TIERS[*]}"
        tiers=("${TIERS[@]}")
    fi
    for tier in "${tiers[@]}"; do
        # What follows the tiers is for the last one's own runner: ./build.sh test e2e -k signal
        if [[ $tier == "${tiers[-1]}" ]]; then "tier_$tier" "$@"; else "tier_$tier"; fi
    done
    if ((${#SKIPS[@]} > 0)); then
        printf 'SKIPPED %s\n' "${SKIPS[@]}"
    fi
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    ((FAILED == 0)) || exit 1
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

# What cannot run here is said at once, and again at the end.
skip() {
    say "SKIPPED $1"
    SKIPS+=("$1")
    count 0 0 1
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

# Adds a tier's numbers. A runner that failed without a failed test (it did not compile, it crashed) is a failure all the same, and so
# is one that says nothing.
count_checked() {
    local name=$1 code=$2 passed=${3:-0} failed=${4:-0} skipped=${5:-0}
    if ((failed == 0 && (code != 0 || passed + skipped == 0))); then
        failed=1
    fi
    say "  $name: $passed passed, $failed failed, $skipped skipped"
    count "$passed" "$failed" "$skipped"
}
