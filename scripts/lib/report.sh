# shellcheck shell=bash
# Runs checks and keeps what came of them. Sourced by scripts/test.

report=()
passed=0
failed=0
skipped=0

# check NAME COMMAND...: runs a command and notes its time and result. A failure does not end the
# script: the other checks are worth knowing too.
check() {
    local name=$1 start=$SECONDS result
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    if "$@"; then
        result=passed
        passed=$((passed + 1))
    else
        result="FAILED with status $?"
        failed=$((failed + 1))
    fi
    report+=("$(printf '%-16s %7d  %s' "$name" $((SECONDS - start)) "$result")")
}

# skip NAME REASON: notes a check that cannot be run here; on CI that is a failure.
skip() {
    local name=$1 reason=$2
    if [[ ${CI:-} == true ]]; then
        failed=$((failed + 1))
        report+=("$(printf '%-16s %7s  FAILED: not run: %s' "$name" - "$reason")")
    else
        skipped=$((skipped + 1))
        report+=("$(printf '%-16s %7s  not run: %s' "$name" - "$reason")")
    fi
}

# leave_out NAME REASON: notes a check that cannot be run for a reason outside of the project and of this
# machine, such as a server elsewhere that does not answer; that is no failure, on CI neither.
leave_out() {
    local name=$1 reason=$2
    skipped=$((skipped + 1))
    report+=("$(printf '%-16s %7s  not run: %s' "$name" - "$reason")")
}

# Prints the table; fails if a check has failed or none has passed.
print_report() {
    printf '\n%-16s %7s  %s\n' check seconds result
    if ((${#report[@]})); then
        printf '%s\n' "${report[@]}"
    fi
    printf '\nchecks: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
}
