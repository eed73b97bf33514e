"""ccontrol: full records, and holding and releasing jobs (reference/cranesched.md section 1.6)."""

from __future__ import annotations

from cli._main import run
from cli._options import Parser, ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHOWN = ("job", "step", "node", "partition", "config")
#: verbs that exist elsewhere and are not here yet
_LATER = ("update", "suspend", "resume", "requeue", "requeuehold", "create", "delete", "reset", "top")
_HOLD = {"hold": "hold", "holdu": "hold", "uhold": "hold", "release": "release"}
_REFUSED = 4


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("ccontrol", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "ccontrol",
        "Show full records of jobs, steps, nodes, partitions and the configuration; hold and release jobs.",
        usage="ccontrol [options] show (job|step|node|partition|config) [names]\n"
        "       ccontrol [options] (hold|release) IDS",
        epilog="examples:\n  ccontrol show job 36_1\n  ccontrol show node\n  ccontrol hold 36_[4-9]\n",
    )
    made.add_argument("-J", "--json", action="store_true", help="answer in one line of JSON")
    made.add_argument("action", metavar="ACTION", help="show, hold or release")
    made.add_argument("rest", nargs="*", metavar="WHAT", help="what to show, and which; or job ids")
    return made


def body(argv: list[str]) -> int:
    """Parse, ask, print."""
    options = parser().parse(argv)
    from crane_celery.errors import InputError, NotSupported
    from crane_celery.grammar.names import did_you_mean

    action = options.action.lower()
    if action == "show":
        return _show(options.rest, options.json)
    if action in _HOLD:
        return _hold(_HOLD[action], options.rest, options.json)
    if action in _LATER:
        raise NotSupported(f"ccontrol {action} is not supported yet: there are show, hold and release")
    raise InputError(f"unknown action {options.action!r}{did_you_mean(action, ('show', *_HOLD, *_LATER))}")


def _show(words: list[str], as_json: bool) -> int:
    from crane_celery.errors import InputError, NotSupported
    from crane_celery.gateway.client import call
    from crane_celery.grammar.names import did_you_mean

    what = words[0].lower().removesuffix("s") if words else ""
    if what in ("reservation", "lic"):
        raise NotSupported(f"ccontrol show {what} is not supported yet: there are {', '.join(_SHOWN)}")
    if what not in _SHOWN:
        hint = did_you_mean(what, _SHOWN) if what else ""
        raise InputError(f"show what? write one of {', '.join(_SHOWN)}{hint}")
    names = [name for word in words[1:] for name in _split(ids(word))]
    records = call("show", {"what": what, "names": names})
    if as_json:
        from cli._render import print_json

        print_json({"ok": True, f"{what}_info_list": records})
        return 0
    from cli import _records

    print(_records.text(what, records))
    return 0


def _split(word: str) -> list[str]:
    """The items of a comma list, commas in brackets left alone."""
    from crane_celery.grammar._lex import split_outside

    return [item for item in split_outside(word, ",") if item]


def _hold(verb: str, words: list[str], as_json: bool) -> int:
    from crane_celery.errors import InputError
    from crane_celery.gateway.client import call

    if not words:
        raise InputError(f"{verb} which jobs? write ids such as 12, 12_4 or 12_[1-3]")
    outcome: dict[str, Any] = call(verb, {"selectors": ",".join(words)})
    if as_json:
        from cli._render import print_json

        print_json({"ok": not outcome["failed"], "modified": outcome["done"], "failed": outcome["failed"]})
    else:
        if outcome["done"]:
            print(f"Jobs {', '.join(outcome['done'])} modified successfully.")
        for shown, why in outcome["failed"]:
            print(f"Failed to modify job: {shown}. Reason: {why}.")
    return _REFUSED if outcome["failed"] else 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
