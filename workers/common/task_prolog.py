"""TaskProlog: the administrators' program before each task, as the job's user (docs/hooks.md). Standard library only.

The task's own process runs it, in the job's cgroup and within its time limit, does what its output says, and becomes
the task: pid, signals and exit status are the task's. Nothing of the output is ever evaluated.
"""

import os

_SHELLS = (("/bin/bash", "--posix"), ("/bin/sh",))
#: a variable that the shell does not let go of (UID, say) is tried in a subshell first: a failure would end the shell
_RUN = r"""
__crane_hook=$1; shift
__crane_said=$("$__crane_hook" < /dev/null) || {
  __crane_code=$?
  printf 'task prolog %s failed with exit code %s\n' "$__crane_hook" "$__crane_code" >&2
  exit "$__crane_code"
}
__crane_name() { case $1 in ''|[0-9]*|*[!A-Za-z0-9_]*) return 1;; esac; }
while IFS= read -r __crane_line; do
  case $__crane_line in
    'export '*=*)
      __crane_line=${__crane_line#export }
      __crane_name "${__crane_line%%=*}" && (export "$__crane_line") 2>/dev/null && export "$__crane_line";;
    'unset '*)
      __crane_line=${__crane_line#unset }
      __crane_name "$__crane_line" && (unset -v "$__crane_line") 2>/dev/null && unset -v "$__crane_line";;
    'print '*) printf '%s\n' "${__crane_line#print }";;
  esac
done << __CRANE_END
$__crane_said
__CRANE_END
exec "$@"
"""


def with_prolog(prolog: str, argv: list[str]) -> list[str]:
    """The same command after its task prolog; "" = there is none."""
    if not prolog:
        return argv
    shell = next((words for words in _SHELLS if os.access(words[0], os.X_OK)), _SHELLS[-1])
    return [*shell, "-c", _RUN, "task-prolog", prolog, *argv]
