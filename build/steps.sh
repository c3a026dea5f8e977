# shellcheck shell=bash
# Messages, and long commands with their logs.

have() {
    command -v "$1" >/dev/null
}

say() {
    printf '%s\n' "$*" >&2
}

# Ends build.sh because the command line is wrong.
wrong() {
    say "build.sh: $1"
    # EX_USAGE of sysexits(3).
    exit 64
}

# Ends build.sh because the machine lacks something: what, and how to get it.
missing() {
    say "build.sh: $1 is missing: $2"
    # EX_UNAVAILABLE of sysexits(3).
    exit 69
}

# Runs a long command with its output in .cache/log/NAME.log. If it fails, prints the lines that report failures, and the log's end.
step() {
    local code=0
    attempt "$@" || code=$?
    if ((code != 0)); then
        say "  from .cache/log/$1.log:"
        grep -E -A 3 '^error|^test .* FAILED$|panicked at|^✖|^FAILED ' "$LOGS/$1.log" | head -n 80 | sed 's/^/  | /' >&2 || true
        say "  its end:"
        tail -n 40 "$LOGS/$1.log" | sed 's/^/  | /' >&2
    fi
    return "$code"
}

# The same for a command that may fail. It prints a line at the start and one with the seconds at the end; on a terminal, a clock between.
attempt() {
    local name=$1 label=$2 start=$SECONDS code=0
    shift 2
    mkdir -p "$LOGS"
    [[ -t 2 ]] || say "$label …"
    # Job control gives it a process group, so an interrupt ends all of it.
    set -m
    "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
    RUNNING=$!
    set +m
    while [[ -t 2 ]] && kill -0 "$RUNNING" 2>/dev/null; do
        printf '\r%s … %d s' "$label" $((SECONDS - start)) >&2
        sleep 0.2
    done
    wait "$RUNNING" || code=$?
    RUNNING=
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    if ((code == 0)); then
        say "$label: $((SECONDS - start)) s"
    else
        say "$label: failed after $((SECONDS - start)) s"
    fi
    return "$code"
}

interrupted() {
    [[ -z ${RUNNING:-} ]] || kill -TERM -- "-$RUNNING" 2>/dev/null || true
    # What prepares the later tiers ends its own commands.
    ((${#PREPARING[@]} == 0)) || kill -TERM "${PREPARING[@]}" 2>/dev/null || true
    exit 130
}

# Sets PROCESSOR_TIME to the seconds that this shell and the commands that it waited for have used. It is called without a subshell,
# whose own times would be reported instead.
read_processor_time() {
    mkdir -p "$LOGS"
    times >"$LOGS/times"
    PROCESSOR_TIME=$(tr 'ms\n' '   ' <"$LOGS/times" | awk '{ for (i = 1; i <= NF; i += 2) sum += 60 * $i + $(i + 1) } END { print int(sum) }')
}
