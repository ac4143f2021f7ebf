# stage TITLE COMMAND... runs a command, says how many seconds it took, and returns what the command
# returned; that is 77 if it cannot be run here. stages_summary repeats all of them. Sourced by
# test/run.sh and .ci/run.

stages_done=""

stage() {
    local stage_title="$1" stage_start=$SECONDS stage_status=0 stage_line
    shift
    printf '\n== %s\n' "$stage_title"
    "$@" || stage_status=$?
    stage_line=$(printf '%5d s  %s' $((SECONDS - stage_start)) "$stage_title")
    case "$stage_status" in
    0) ;;
    77) stage_line="$stage_line: NOT RUN" ;;
    *) stage_line="$stage_line: FAILED ($stage_status)" ;;
    esac
    stages_done="$stages_done$stage_line
"
    printf '== %s\n' "$stage_line"
    return "$stage_status"
}

stages_summary() {
    printf '\n%s%5d s  in all\n' "$stages_done" "$SECONDS"
}
