"""Which lines of a script are text inside something: the body of a heredoc, a string over several lines, the rest of a
command that a backslash continues. A directive there belongs to what the script writes or runs, not to the script.

Only what can hide a line start is read: quotes, substitutions, heredocs and comments. Shells are read with a stack of
contexts; Python, R and Julia by their strings; Perl and Ruby by heredocs that have an end; nothing else hides anything.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    #: begin and end of a stretch of text
    Span = tuple[int, int]

_SHELLS = ("sh", "bash", "dash", "ksh", "mksh", "zsh", "ash", "csh", "tcsh")
_COMMENT, _LONG = r"(?s)#[^\n]*|", r'"{3}(?:[^\\]|\\.)*?"{3}|' + r"'{3}(?:[^\\]|\\.)*?'{3}|"
_STRINGS = {
    "python": _COMMENT + _LONG + r'"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'|\\\n",
    "R": _COMMENT + _LONG + r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'",
}
_OF_STRINGS = {"python": "python", "pypy": "python", "ipython": "python", "Rscript": "R", "R": "R", "julia": "R"}
_HEREDOC = r"""<<[~-]?(?:"(\w+)"|'(\w+)'|([A-Za-z_]\w*))"""
_TOKEN = r"""\\(?s:.)|\$'(?:[^'\\]|\\(?s:.))*'|'[^']*'|["`#\n(){}]|\$\(\(|\$\(|\$\{|<<<|<<-?"""
_WORD = r"""[ \t]*((?:[^\s'"\\;&|<>()`]|'[^'\n]*'|"[^"\n]*"|\\.)+)"""
_SUBSCRIPT = r"(?:^|(?<=[\s;&|(]))[A-Za-z_]\w*\[[^\]\n]*\]\+?=|\$\[[^\]\n]*\]"
#: what may stand before a word's first character in a shell
_BEFORE_WORD = " \t\n;&|()`"


def hidden_lines(text: str, interpreter: Sequence[str]) -> list[Span]:
    """Stretches of ``text`` in which a line start is no line of the script itself, ascending by their begin.

    ``interpreter``: the words of the ``#!`` line, () for none.
    """
    language = _language(interpreter)
    if language in _STRINGS:
        return [match.span() for match in re.finditer(_STRINGS[language], text) if "\n" in match[0]]
    if language == "perl":
        return list(_loose_heredocs(text))
    return sorted(_Shell(text).spans()) if language == "sh" else []


def _language(interpreter: Sequence[str]) -> str:
    """``sh``, a key of ``_STRINGS``, ``perl`` (and its kin), or ``other``."""
    words = " ".join(interpreter).split()
    name = words[0].rpartition("/")[2] if words else "sh"
    if name == "env":
        rest = (word for word in words[1:] if not word.startswith("-") and "=" not in word)
        name = next(rest, "sh").rpartition("/")[2]
    name = re.sub(r"[\d.]+$", "", name)
    if name in _SHELLS:
        return "sh"
    return _OF_STRINGS.get(name) or ("perl" if name in ("perl", "ruby") else "other")


def _loose_heredocs(text: str) -> Iterator[Span]:
    """Bodies of Perl's and Ruby's heredocs; ``<<`` is a shift, too, so one without its last line is none."""
    at = 0
    while match := re.compile(_HEREDOC).search(text, at):
        at = match.end()
        word = match[1] or match[2] or match[3]
        end = re.compile(rf"(?m)^[ \t]*{word}$").search(text, at)
        line = text.find("\n", at)
        if end and 0 <= line < end.start():
            yield line, end.start()
            at = end.end()


class _Shell:
    """One reading of a shell script."""

    def __init__(self, text: str) -> None:
        """Begin at the start of ``text``."""
        self._text = text
        self._spans: list[Span] = []
        #: open contexts, innermost last, each with where it began: ``"``, `````, ``(``, ``{``, and ``q`` for a ``${``
        #: in double quotes, where single ones mean nothing
        self._open: list[tuple[str, int]] = []
        #: heredocs whose bodies begin after this line: (last line, whether tabs before it count not, quoted)
        self._due: list[tuple[str, bool, bool]] = []

    def spans(self) -> list[Span]:
        """Read it to its end."""
        token, at = re.compile(_TOKEN), 0
        subscripts = {match.start(): match.end() for match in re.finditer(_SUBSCRIPT, self._text)}
        skips = iter(sorted(subscripts.items()))
        skip = next(skips, None)
        while match := token.search(self._text, at):
            while skip and skip[1] <= match.start():
                skip = next(skips, None)
            at = match.end()
            if skip and skip[0] < match.start() < skip[1] and match[0].startswith("<<"):
                continue  # a[1<<2]=x
            at = self._step(match[0], match.start(), at)
        self._spans += [(begin, len(self._text)) for kind, begin in self._open if kind in '"`']
        return self._spans

    def _step(self, found: str, begin: int, end: int) -> int:
        """Take one token; where to read on."""
        kind = self._open[-1][0] if self._open else ""
        if found[0] == "\\":
            if found == "\\\n" and kind != '"':
                self._spans.append((begin, end + 1))
        elif found in ('"', "`", "}", ")"):
            self._close(found, kind, begin)
        elif found in ("$((", "$(", "${"):
            return self._substitution(found, begin, end)
        elif kind in ('"', "q"):
            return begin + 1  # nothing else means anything in double quotes
        elif found[0] in "'$":
            self._spans.append((begin, end))
        elif kind != "{":
            return self._command(found, begin, end)
        return end

    def _close(self, found: str, kind: str, begin: int) -> None:
        """A character that ends a context, or begins it where it does both."""
        if kind and kind in {"}": "{q", ")": "("}.get(found, found):
            _, since = self._open.pop()
            if found in '"`':
                self._spans.append((since, begin))
        elif found in '"`':
            self._open.append((found, begin))

    def _substitution(self, found: str, begin: int, end: int) -> int:
        """``$((1 << 2))``, ``$(command)`` or ``${name}``."""
        if found == "$((":
            over = self._arithmetic(begin + 1)
            if over:
                return over
            end -= 1
        quoted = found == "${" and self._open and self._open[-1][0] in '"q'
        self._open.append(("q" if quoted else found[1], begin))
        return end

    def _arithmetic(self, begin: int) -> int:
        """Return where the arithmetic that begins with ``((`` here ends; 0 when it is something else."""
        depth = 0
        for match in re.compile(r"[()]").finditer(self._text, begin):
            depth += 1 if match[0] == "(" else -1
            if not depth:
                return match.end() if self._text[match.start() - 1] == ")" else 0
        return 0

    def _command(self, found: str, begin: int, end: int) -> int:
        """A token where commands stand."""
        word = not begin or self._text[begin - 1] in _BEFORE_WORD
        if found == "(":
            over = self._arithmetic(begin) if word and self._text.startswith("((", begin) else 0
            if over:
                return over
            self._open.append((found, begin))
        elif found == "#" and word:
            line = self._text.find("\n", begin)
            return line if line >= 0 else len(self._text)
        elif found in ("<<", "<<-"):
            return self._heredoc(found, end)
        elif found == "\n" and self._due:
            return self._bodies(end)
        return end

    def _heredoc(self, found: str, end: int) -> int:
        """Note a heredoc; its body begins on the next line."""
        match = re.compile(_WORD).match(self._text, end)
        if not match:
            return end
        last = re.sub(r"""'([^']*)'|"([^"]*)"|\\(.)""", lambda part: next(filter(None, part.groups()), ""), match[1])
        self._due.append((last, found == "<<-", last != match[1]))
        return match.end()

    def _bodies(self, at: int) -> int:
        """Pass over the bodies of the heredocs that are due, from the line that begins here."""
        for last, tabs, quoted in self._due:
            begin = at
            while at < len(self._text):
                line = self._text[at : (self._text.find("\n", at) + 1) or len(self._text)]
                joined = not quoted and at > begin and re.search(r"(?<!\\)(?:\\\\)*\\\n$", self._text[begin:at][-9:])
                at += len(line)
                shown = line.rstrip("\n")
                if (shown.lstrip("\t") if tabs else shown) == last and not joined:
                    break
            self._spans.append((begin - 1, at))
        self._due.clear()
        return at
