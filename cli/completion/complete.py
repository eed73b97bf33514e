"""Define what may stand where the cursor is, for the completion of bash, zsh and fish (``cli/completion``).

``crane-complete words WORD... CURRENT`` prints a line that says what to offer (``words``, or ``files``, ``folders``,
``programs``, ``users``, which shells list themselves), then words with a tab and what they mean.
``crane-complete bash LINE POINT BREAKS`` splits the line itself, and prints only what bash is to put behind the last
of its word breaks. Nothing is ever said of an error, and nothing takes longer than half a second.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PATIENCE_S = 0.5
_WHITE = " \t\n"


def main(argv: list[str] | None = None) -> int:
    """Print what may stand there; 0 always."""
    import signal

    from cli.output.render import print_lines

    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
    os.environ["CRANE_CONNECT_TIMEOUT"] = "0"
    words = sys.argv[1:] if argv is None else argv
    try:
        lines = _of_bash(*words[1:4]) if words[:1] == ["bash"] else _of_words(words[1:])
        print_lines(lines)
        sys.stdout.flush()
    except (Exception, SystemExit):
        pass
    return 0


def _of_words(words: Sequence[str]) -> list[str]:
    from cli.completion.candidates import candidates

    found = candidates(words)
    return [found.kind, *(f"{text}\t{plain(what)}" if what else text for text, what in found.words)]


def _of_bash(line: str, point: str, breaks: str) -> list[str]:
    from cli.completion.candidates import candidates

    words = split(line[: int(point)])
    found = candidates(words)
    behind = 1 + max((words[-1].rfind(each) for each in breaks if each in "=:"), default=-1)
    return [found.kind, *(text[behind:] for text, _ in found.words)]


def split(line: str) -> list[str]:
    """Return the words of a line as a shell does, the last one up to its end, quotes open or not."""
    words, quote, escaped, fresh = [""], "", False, True
    for letter in line:
        if escaped:
            words[-1] += letter
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped, fresh = True, False
        elif letter == quote:
            quote = ""
        elif letter in "'\"" and not quote:
            quote, fresh = letter, False
        elif letter in _WHITE and not quote:
            if not fresh:
                words.append("")
            fresh = True
        else:
            words[-1] += letter
            fresh = False
    return words


def plain(text: str) -> str:
    """Return a text that moves no cursor: names of jobs are their owners'."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:60]


def script(shell: str, commands: Iterable[str]) -> str:
    """Return what a shell reads to complete these commands. Raises KeyError for a shell that there is none for."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), shell)
    if shell not in SHELLS:
        raise KeyError(shell)
    with open(path, encoding="utf-8") as file:
        return file.read().replace("@COMMANDS@", " ".join(commands))


SHELLS = ("bash", "fish", "zsh")
