"""The parser of all commands: argparse, with our exit code, a hint for mistyped options, and no surprises.

Unknown options are InputError (exit 2) with "did you mean"; every command has ``-h/--help`` and ``-v/--version``.
"""

from __future__ import annotations

import argparse
import re
import sys

from crane_celery.errors import InputError, NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NamedTuple, NoReturn

    from cli.output.render import Column
else:
    from crane_celery.grammar._record import NamedTuple


#: argparse would look on disk for translations of its words, and import locale for that: there are none of ours
vars(argparse)["_"] = str
#: a value, not an option, such as ``-3d``: no option of ours begins with a digit
_MINUS_DIGIT = re.compile(r"-\d")


class Described(Exception):
    """Carries a parser to those who only want to read it."""

    def __init__(self, parser: Parser) -> None:
        """``parser`` is complete."""
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises InputError instead of ending the process."""

    #: raise Described instead of parsing anything (cli.manual.pages)
    describing = False
    #: of a listing: what ``-o`` can show
    formats: Callable[[], Mapping[str, Formats]] | None = None

    def __init__(
        self,
        prog: str,
        description: str,
        usage: str | None = None,
        epilog: str | None = None,
        only_given: bool = False,
    ) -> None:
        """``usage`` without the leading ``usage:``; ``epilog`` is shown as written (examples). With ``only_given``,
        options that were not given are absent from the result instead of having a default."""
        super().__init__(
            prog=prog,
            description=description,
            usage=usage,
            epilog=epilog,
            formatter_class=_Formatter,
            argument_default=argparse.SUPPRESS if only_given else None,
            add_help=False,
        )
        self._negative_number_matcher = _MINUS_DIGIT
        self.config = ""
        self.add_common()

    def add_common(self) -> None:
        """Add the options that every command has."""
        self.add_argument("-h", "--help", action="help", help="show this help and exit")
        self.add_argument("-v", "--version", action=_Version, nargs=0, help="show the version and exit")
        self.add_argument("-C", "--config", metavar="FILE", help="the cluster of this configuration file")

    def error(self, message: str) -> NoReturn:
        """Return what argparse finds wrong, as InputError."""
        raise InputError(message)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse, and turn to the cluster of ``--config``; InputError names an unknown option and what it stands for."""
        if Parser.describing:
            raise Described(self)
        found, extra = self.parse_known_args(list(argv))
        if extra:
            raise InputError(self.unknown(extra))
        self.config = vars(found).pop("config", None) or ""
        if self.config:
            self._choose()
        return found

    def _choose(self) -> None:
        """Have the command speak to, or be about, the cluster of ``--config``."""
        from cli.common import cluster

        use = cluster.administer if self.prog.startswith("crane ") else cluster.choose
        use(self.config)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """``--name=--`` has the value ``--``: argparse (before 3.13) takes it for the end of options, and leaves []."""
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)

    @property
    def options(self) -> dict[str, bool]:
        """Every option, long and short; True for those whose value is not the next word."""
        return {name: action.nargs in (0, "?") for action in self._actions for name in action.option_strings}

    @property
    def switches(self) -> set[str]:
        """The options that take no value at all."""
        return {name for action in self._actions if action.nargs == 0 for name in action.option_strings}

    @property
    def shown(self) -> list[argparse.Action]:
        """Return what the help tells of, in its order."""
        return [action for action in self._actions if action.help != argparse.SUPPRESS]

    def unknown(self, extra: Iterable[str]) -> str:
        """The message for what no option or argument took."""
        from cli.common.foreign_options import hint

        word = next((item for item in extra if item.startswith("-")), None)
        if word is None:
            return f"unexpected argument {next(iter(extra))!r}"
        name = word.partition("=")[0]
        return f"unknown option {name!r}{hint(name, [each for action in self.shown for each in action.option_strings])}"

    def later(self, *flags: str, takes_value: bool = True, why: str = "leave it out") -> None:
        """Options that are known but not there yet: naming one raises NotSupported, with what to do."""
        nargs = None if takes_value else 0
        self.add_argument(*flags, action=_Later, nargs=nargs, const=why, help=argparse.SUPPRESS)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width. argparse makes a formatter for every option that is added and imports shutil to ask for
    the terminal's width each time, which costs a command more than all the rest of its parsing."""

    def __init__(self, prog: str) -> None:
        """Lay out for 100 columns."""
        super().__init__(prog, max_help_position=30, width=100)


class _Later(argparse.Action):
    """Refuses an option by name."""

    def __call__(self, *given: Any, **_named: Any) -> None:
        """Raise NotSupported. argparse passes parser, namespace, values and the option as typed."""
        raise NotSupported(f"{given[-1]} is not supported yet: {self.const}")


class _Version(argparse.Action):
    """Prints the version and ends."""

    def __call__(self, *_given: Any, **_named: Any) -> None:
        """Look the version up only when it is asked for: importlib.metadata is slow to import."""
        from importlib.metadata import PackageNotFoundError, version

        from cli.common.main import say

        try:
            say(f"crane-celery {version('crane-celery')}")
        except PackageNotFoundError:
            say("crane-celery (not installed)")
        sys.exit(0)


class Formats(NamedTuple):
    """Record of what ``-o`` of a listing can show."""

    #: the format in force without ``-o``
    default: str
    columns: Mapping[str, Column]


def add_output_options(
    parser: Parser, formats: Callable[[], Mapping[str, Formats]], full: bool = True, short: str = "-N"
) -> None:
    """``-o/--format``, ``--helpformat``, ``--noheader``, ``--json``, and ``-F/--full``: what every listing has.

    ``formats``: what it can show, by the option that asks for it, "" = without one; ``short``: the short name of
    ``--noheader``, "" = none.
    """
    parser.formats = formats
    parser.add_argument("-o", "--format", metavar="FORMAT", help="columns as a format string, such as '%%5j|%%.8t'")
    parser.add_argument("--helpformat", action=_HelpFormat, nargs=0, help="show the columns of -o and exit")
    parser.add_argument(*filter(None, [short]), "--noheader", action="store_true", help="leave the header out")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    if full:
        parser.add_argument("-F", "--full", action="store_true", help="all columns, nothing cut")


class _HelpFormat(argparse.Action):
    """Shows the columns and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_given: Any) -> None:
        """Import what describes them only when it is asked for."""
        from cli.common.help_format import text
        from cli.common.main import say

        assert isinstance(parser, Parser) and parser.formats
        say(*text(parser.formats()))
        sys.exit(0)


#: the most that an option which takes a whole number takes, such as of lines
_MAX_NUMBER = 2**31 - 1


def number(text: str) -> int:
    """Read an option that takes a whole number (argparse's ``type``); negative ones too, for a better message.

    Not ``int``, which also takes ``1_0``, digits of any script, and what no list is as long as.
    """
    from crane_celery.grammar._lex import quote, whole

    found = whole(text.removeprefix("-"), _MAX_NUMBER)
    if found is None:
        raise argparse.ArgumentTypeError(f"{quote(text)} is no whole number up to {_MAX_NUMBER}")
    return -found if text.startswith("-") else found


def ids(text: str | None) -> str:
    """An option that takes ids, "" when it was not given. InputError when it is empty: ``-j "$JOB"`` with no such
    variable means no job, not all of them."""
    if text is not None and not text.strip():
        raise InputError("no id given: write a job, element or step id, such as 12, 12_4, 12_[1-3,5], 12.3 or 12_4.2")
    return text or ""


def split_list(text: str | None) -> list[str]:
    """A comma list as its items, blanks around them removed, empty ones dropped."""
    return [item.strip() for item in (text or "").split(",") if item.strip()]
