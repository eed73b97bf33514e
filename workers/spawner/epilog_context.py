"""Define what a spawner keeps of a task for the epilog that follows it: environment, directory, output. Standard
library only.

Only the spawner has them: the shepherd may be another one by then, and a crun's descriptors passed through it once. It
keeps them from the task's start until its epilog starts or its end is acknowledged; so one runs once at most.
"""

from typing import Any, NamedTuple

from crane_celery.wire.node import StartRow
from workers.spawner.files import Files, Refusal, source


class Todo(NamedTuple):
    """A start that is ready but for the spawn: ``what`` and ``row`` as they came, files opened."""

    key: str
    what: dict[str, Any]
    row: StartRow
    files: Files


class Kept:
    """Tasks that may have an epilog."""

    def __init__(self) -> None:
        """None yet."""
        self._of: dict[str, Todo] = {}

    def keep(self, todo: Todo) -> Files:
        """Take a task that was started; returns the descriptors that are not needed any more."""
        files = todo.files
        if not _program(todo.what):
            return files
        self._of[todo.key] = todo._replace(files=files._replace(stdin=files.stdout))
        return Files(*[files.stdin] * 4)

    def follow(self, row: StartRow, task: str) -> Todo:
        """The epilog of a task, ready to start; its row adds to the task's environment. Raises Refusal."""
        if task not in self._of:
            raise Refusal("spawn", 0, "the spawner that started its task is gone")
        stdin = source("/dev/null")
        known = self._of.pop(task)
        program = _program(known.what)
        what = {**known.what, "argv": [program], "env": {**known.what["env"], **known.row.environ}, "hooks": {}}
        return Todo(row.key, what, row, known.files._replace(stdin=stdin))

    def drop(self, key: str) -> None:
        """The shepherd knows how it ended, and asked for no epilog."""
        if (known := self._of.pop(key, None)) is not None:
            known.files.close()


def _program(what: dict[str, Any]) -> str:
    path: str = what.get("hooks", {}).get("task_epilog", "")
    return path
