"""The parser of what describes a job: stricter than that of the listings.

An option is never taken for another one: an abbreviation must reach into the last word of a name and must not be the
beginning of an option of Slurm's; in directives and variables there is none. ``-output`` with one dash is not ``-o
utput``. What stands after the script, or the command, is its own.
"""

from __future__ import annotations

import argparse

from cli.common.options import Parser
from crane_celery.errors import InputError, NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

#: what only the command line can ask for
_ACTIONS = (("-h", "--help"), ("-v", "--version"), ("-V",), ("-u", "--usage"), ("--verbose",))


class JobParser(Parser):
    """``typed``: for words that a person types to a command; else for directives and variables."""

    def __init__(self, prog: str, description: str = "", *, typed: bool = True, **named: Any) -> None:
        """The rest is as for Parser."""
        self._typed = typed
        super().__init__(prog, description, **named)

    def add_common(self) -> None:
        """Help and version; in directives and variables they are refused."""
        if self._typed:
            super().add_common()
            return
        self.allow_abbrev = False
        for flags in _ACTIONS:
            self.refuse(*flags, why="is an action of the command line, not an option of a job: take it out")
        self.refuse("--config", why="chooses the cluster: give it on the command line")

    def refuse(self, *flags: str, why: str) -> None:
        """Options that are errors here."""
        self.add_argument(*flags, action=_Refused, nargs="?", const=why, dest="refused", help=argparse.SUPPRESS)

    def parse_own(self, argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """(the options, all words from the first that is none on). Raises InputError, NotSupported."""
        at = 0
        while at < len(argv) and argv[at].startswith("-") and argv[at] not in ("-", "--"):
            self._check_dashes(argv[at])
            at += 1 + self._takes_next(argv[at])
        rest = list(argv[at:])
        return self.parse(argv[:at]), rest[1:] if rest[:1] == ["--"] else rest

    def parse_words(self, words: Sequence[str]) -> dict[str, Any]:
        """The options of a directive or a variable. Raises InputError, NotSupported."""
        found, rest = self.parse_own(words)
        if rest:
            het = "heterogeneous jobs are not supported: submit one job for each part, with --dependency between them"
            raise InputError(
                het if rest[0] in ("hetjob", "packjob") else f"{rest[0]!r} is no option; write --option=value"
            )
        return vars(found)

    def unknown(self, extra: Any) -> str:
        """The message for what no option took. Raises NotSupported for what Slurm knows."""
        from crane_celery.model.fields.refused import refusal

        words = list(extra)
        name = next((word for word in words if word.startswith("-")), "").partition("=")[0]
        why = refusal(name if name.startswith("--") else name[:2])
        if why:
            raise NotSupported(why)
        return super().unknown(words)

    def _takes_next(self, word: str) -> bool:
        """Return whether the value of this option is the next word."""
        options = self.options
        if word.startswith("--"):
            if "=" in word:
                return False
            name = word if word in options else self._meant(word)
            return not options.get(name, True)
        for at, letter in enumerate(word[1:], 1):
            if not options.get(f"-{letter}", True):
                return at == len(word) - 1
        return False

    def _meant(self, word: str) -> str:
        """The option that an abbreviation stands for, or the word itself."""
        found = self._get_option_tuples(word) if self.allow_abbrev else []
        return found[0][1] if len(found) == 1 else word

    def _check_dashes(self, word: str) -> None:
        """Raise InputError for an option of several letters with one dash."""
        name = f"-{word.partition('=')[0]}"
        if not word.startswith("--") and len(name) > 3 and name in self.options:
            raise InputError(f"{word[:60]}: an option of several letters has two dashes: write {name}")

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """Return what argparse takes for a beginning of an option, without what could mean another one."""
        from crane_celery.model.fields.refused import abbreviates

        found = super()._get_option_tuples(option_string)
        given = option_string.partition("=")[0]
        if not given.startswith("--") or abbreviates(given):
            return [each for each in found if not each[1].startswith("--")]
        return [each for each in found if given.count("-") == each[1].count("-")]


class _Refused(argparse.Action):
    """An option that is an error where it stands."""

    def __call__(self, *given: Any, **_named: Any) -> None:
        """Raise InputError. argparse passes parser, namespace, values and the option as typed."""
        raise InputError(f"{given[-1]} {self.const}")
