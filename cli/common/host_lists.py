"""``ccontrol show hostnames|hostlist|hostlistsorted``: node lists taken apart and put together. Asks nobody."""

from __future__ import annotations

import os

from crane_celery.errors import InputError
from crane_celery.grammar.hostlist import MAX_OWN_NAMES, compress, expand, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: words that ask for it -> what is done
KINDS = {
    "hostname": "hostnames",
    "hostnames": "hostnames",
    "hostlist": "hostlist",
    "hostlistsorted": "hostlistsorted",
}
#: a job's own nodes; the first that is set counts
_OF_JOB = ("CRANE_JOB_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST")


def show(kind: str, words: Sequence[str], as_json: bool) -> int:
    """Print the names of a list, one a line, or the list of names. Raises InputError."""
    from cli.output.render import print_json, print_lines

    names = names_of(_given(kind, words))
    if kind == "hostnames":
        shown: list[str] | str = names
    else:
        shown = in_order(names) if kind == "hostlist" else compress(names)
    if as_json:
        print_json({"ok": True, kind: shown})
    else:
        print_lines([shown] if isinstance(shown, str) else shown)
    return 0


def names_of(text: str) -> list[str]:
    """All names of a list, also those written twice, as launchers count on; ``CRANE_JOB_NODELIST`` has semicolons.

    Raises InputError.
    """
    from crane_celery.grammar._lex import split_outside

    names: list[str] = []
    for item in split_outside(text, ",;\n"):
        names += expand(item.strip(), MAX_OWN_NAMES) if item.strip() else []
        if len(names) > MAX_OWN_NAMES:
            raise InputError(f"the list stands for more than {MAX_OWN_NAMES} names: write a shorter one")
    return names


def _given(kind: str, words: Sequence[str]) -> str:
    """The list: the words, the names in a file (``/path``), or this job's nodes."""
    if words and words[0].startswith("/"):
        try:
            with open(words[0], encoding="utf-8") as file:
                return file.read(64 * MAX_OWN_NAMES)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise InputError(f"{words[0]}: {why}: write names, or a file of names") from None
    text = ",".join(words) or next((os.environ[name] for name in _OF_JOB if os.environ.get(name)), "")
    if not text.strip(", "):
        raise InputError(f"show {kind} of what? write a list such as cn[1-3,5]; inside a job it may be left out")
    return text
