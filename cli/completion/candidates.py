"""Which words may follow others in a command of ours: options, and values by what an option or argument takes."""

from __future__ import annotations

import os

from cli.manual.pages import parser_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from cli.common.options import Parser

    Words = Iterable[tuple[str, str]]
#: what an option takes, by the name of its value in the help, or, where that says little, by the option's own
_BY_METAVAR = {"FILE": "files", "PATH": "files", "TRACE": "files", "DIR": "folders", "HOSTS": "nodes", "IDS": "ids"}
_BY_NAME = {
    "partition": "partitions",
    "state": "states",
    "states": "node states",
    "user": "users",
    "step": "ids",
    "array_retry": "ids",
    "dependency": "dependencies",
    "export": "exports",
    "open_mode": "modes",
    "kill_on_invalid_dep": "answers",
    "type": "kinds",
    "signal": "signals",
    "name": "names of nodes",
}
#: arguments of each command
_ARGUMENTS = {"ccancel": "ids", "ceff": "ids", "cwait": "ids", "clog": "ids", "cbatch": "files", "crun": "programs"}
_SHELL = ("files", "folders", "programs", "users")
#: kinds that are lists, each item of its own
_LISTS = ("ids", "nodes", "partitions", "states", "node states", "kinds")


class Found:
    """Record of what to offer: a kind that shells know (words is empty then), or ``words``."""

    def __init__(self, kind: str, words: Words = ()) -> None:
        """``words``: each with what it means, or ""."""
        self.kind, self.words = kind, list(words)


def candidates(typed: Sequence[str]) -> Found:
    """Return what may stand in the place of the last of these words; the first is the command."""
    name, words, current = os.path.basename(typed[0]), list(typed[1:-1]), typed[-1]
    if len(typed) < 2:
        return Found("words")
    if name == "crane":
        from cli.crane import COMMANDS as roles

        if not words:
            general = [(option, "") for option in ("--help", "--version")]
            return matching(current, [*((each, what) for each, (_, what) in roles.items()), *general])
        name, words = f"crane {words[0]}", words[1:]
    made = parser_of(name)
    seen = Seen(made, words)
    if seen.config:
        from cli.common.cluster import choose

        choose(seen.config)
    if seen.waiting is not None:
        return values(kind_of(seen.waiting, name), current, seen.waiting.choices)
    if current.startswith("-") and not seen.over:
        option, equals, value = current.partition("=")
        action = seen.actions.get(option)
        if equals and action is not None:
            found = values(kind_of(action, name), value, action.choices)
            return Found(found.kind, [(f"{option}={text}", what) for text, what in found.words])
        return matching(current, options(made, current))
    if name == "ccontrol":
        from cli.completion.action_words import following

        return following(seen.arguments, current)
    return _argument(name, made, seen, current)


def _argument(name: str, made: Parser, seen: Seen, current: str) -> Found:
    if seen.over or (name in ("cbatch", "crun") and seen.arguments):
        return Found("files")
    places = [action for action in made.shown if not action.option_strings]
    if not places:
        return Found("words")
    place = places[min(len(seen.arguments), len(places) - 1)]
    return values(_ARGUMENTS.get(name) or kind_of(place, name), current, place.choices)


class Seen:
    """Record of what stands before the cursor."""

    def __init__(self, made: Parser, words: Sequence[str]) -> None:
        """Read the words by the options of a parser."""
        self.actions = {option: action for action in made.shown for option in action.option_strings}
        #: the option whose value comes next
        self.waiting: argparse.Action | None = None
        self.arguments: list[str] = []
        #: no more options: after ``--``, or behind a command that has its own
        self.over = False
        self.config = ""
        remainder = any(action.nargs == "..." for action in made.shown)
        for word in words:
            self._take(word)
            self.over = self.over or (remainder and bool(self.arguments))

    def _take(self, word: str) -> None:
        if self.waiting is not None:
            self._value(self.waiting, word)
            self.waiting = None
        elif self.over or not word.startswith("-") or word == "-":
            self.arguments.append(word)
        elif word == "--":
            self.over = True
        else:
            option, equals, value = word.partition("=")
            action = self.actions.get(option)
            if action is not None and equals:
                self._value(action, value)
            elif action is not None and action.nargs is None:
                self.waiting = action

    def _value(self, action: argparse.Action, value: str) -> None:
        if action.dest == "config":
            self.config = value


def options(made: Parser, current: str) -> Words:
    """Return a parser's options with what they do: the long ones, or the short ones that have none."""
    for action in made.shown:
        names = action.option_strings
        long = [option for option in names if option.startswith("--")]
        for option in long or names:
            yield option, (action.help or "").replace("%%", "%").partition(";")[0].partition("\n")[0]
        if current == "-" and long:
            yield from ((option, action.help or "") for option in names if option not in long)


def kind_of(action: argparse.Action, command: str) -> str:
    """Return what an option's value is: one of the kinds above, "" when it is anything."""
    if command == "crun" and action.metavar == "X":
        return ""
    if action.dest == "name" and command != "crane node":
        return ""
    if action.dest == "signal" and command != "ccancel":
        return ""
    return _BY_NAME.get(action.dest) or _BY_METAVAR.get(str(action.metavar), "")


def values(kind: str, current: str, choices: Iterable[object] | None = None) -> Found:
    """Return the values of a kind that continue ``current``; of lists, its last item is what is continued."""
    from cli.completion import values

    if kind in _SHELL:
        return Found(kind)
    offered = [(str(each), "") for each in choices] if choices else values.of(kind, current)
    if kind not in _LISTS:
        return matching(current, offered)
    head, comma, last = current.rpartition(",")
    done = set(head.split(","))
    return Found(
        "words", [(f"{head}{comma}{text}", what) for text, what in matching(last, offered).words if text not in done]
    )


def matching(current: str, words: Words) -> Found:
    """Return the words that begin so, upper and lower case alike."""
    lower = current.lower()
    return Found("words", [(text, what) for text, what in words if text.lower().startswith(lower)])
