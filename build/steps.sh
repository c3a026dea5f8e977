# shellcheck shell=bash
# Saying and doing: long commands with their logs, and the lines that tell of them.

have() {
    command -v "$1" >/dev/null
}

say() {
    printf '%s\n' "$*" >&2
}

# The one line of a command that nobody can carry out.
wrong() {
    say "build.sh: $1"
    # EX_USAGE of sysexits(3).
    exit 64
}

# The one line of a machine that something must be done to first.
missing() {
    say "build.sh: $1 is missing: $2"
    # EX_UNAVAILABLE of sysexits(3).
    exit 69
}

# Runs a long command with its output in .cache/log/NAME.log; where it fails, shows the lines that tell of failures, and the log's end.
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

# The same for a command that may fail: a line when it starts, one with its seconds when it ends, on a terminal a clock between.
attempt() {
    local name=$1 label=$2 start=$SECONDS code=0
    shift 2
    mkdir -p "$LOGS"
    [[ -t 2 ]] || say "$label …"
    # Job control gives it a process group, so that an interrupt ends all of it.
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
    exit 130
}
