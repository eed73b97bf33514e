"""ccontrol: full records, and everything that can be done to a job or a node (reference/cranesched.md section 1.6).

Every action is parsed, asked of the gateway in one call, and told.
"""

from __future__ import annotations

from cli.common.main import complain, run, say
from cli.common.options import Parser, ids
from crane_celery.errors import InputError, NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_SHOWN = ("job", "step", "node", "partition", "config", "lic", "dependents")
_KINDS = {"license": "lic", "licence": "lic", "dependent": "dependents"}
#: action -> (verb of the gateway, what is said of those done)
_SIMPLE = {
    "release": ("release", "modified"),
    "suspend": ("suspend", "suspended"),
    "resume": ("resume", "resumed"),
    "top": ("top", "moved to the top"),
}
_HOLDS = ("hold", "holdu", "uhold")
_TOLD = ("explain", "story")
#: what is known elsewhere and not here
_LATER = ("create", "delete", "reset", "reconfigure")
#: how ``requeue`` and its kin are told of
_REQUEUES = {"requeue": "requeued", "requeuehold": "requeued and held"}
_ACTIONS = ("show", "update", *_REQUEUES, *_HOLDS, *_SIMPLE, *_TOLD)
_REFUSED = 4


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("ccontrol", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "ccontrol",
        "Show full records, and control jobs and nodes. Owners control their own jobs, operators all.",
        usage="ccontrol [options] ACTION ...",
        epilog="actions:\n"
        "  show job|step|node|partition|config|lic|dependents [NAMES]\n"
        "  show hostnames [LIST]              the names of cn[1-3], one a line; in a job of its own nodes\n"
        "  show hostlist|hostlistsorted NAMES the list of cn1,cn2\n"
        "  update jobid=IDS KEY=VALUE...      timelimit priority deadline starttime dependency arraytaskthrottle\n"
        "                                     jobname comment partition nodelist excludenodelist requeue ...\n"
        "  update nodename=HOSTS state=drain|resume|down [reason=TEXT]\n"
        "  hold IDS [timelimit=TIME]          keep from starting; with a time, that long\n"
        "  release IDS                        let start again\n"
        "  suspend IDS, resume IDS            stop and go on, resources kept\n"
        "  requeue IDS [KEY=VALUE...]         run again: what has ended, and what is at work, which is stopped; with\n"
        "                                     other resources or options, keys as of update\n"
        "  requeue incomplete [--running] IDS all that ended without completing runs again, in the same array; what\n"
        "                                     is at work is left alone unless --running is given\n"
        "  requeuehold IDS                    the same, once released; incomplete and --running too\n"
        "  top IDS                            before all of one's own other jobs\n"
        "  explain IDS                        why it waits, in numbers\n"
        "  story IDS                          what has happened to it\n\n"
        "'ccontrol ACTION --help' says what an action takes, with all keys of update.\n\n"
        "examples:\n  ccontrol show job 36_1\n  ccontrol update jobid=36_[4-9] timelimit=2:00:00\n"
        "  ccontrol update nodename=cn[1-3] state=drain reason='new disks'\n  ccontrol hold 12 timelimit=1:00:00\n"
        "  ccontrol requeue incomplete 36\n",
    )
    made.add_argument("-J", "--json", action="store_true", help="answer in one line of JSON")
    made.add_argument("--running", action="store_true", help="with requeue incomplete: what is at work too")
    made.add_argument("action", metavar="ACTION", help="what to do (see below)")
    made.add_argument("rest", nargs="*", metavar="...", help="to what, and how; KEY=VALUE or KEY VALUE, in any case")
    return made


def body(argv: list[str]) -> int:
    """Parse, ask, tell."""
    if any(word in ("-h", "--help", "help") for word in argv):
        from cli.common.control_actions import asked
        from cli.output.render import print_lines

        if page := asked(argv):
            print_lines([page])
            return 0
    options = parser().parse(["--help"] if argv[:1] == ["help"] else _switches_first(argv))
    action, words = options.action.lower(), options.rest
    if options.running and action not in _REQUEUES:
        raise InputError("--running goes with requeue incomplete")
    if action == "show":
        return _show(words, options.json)
    if action == "update":
        return _update(words, options.json)
    if action in _HOLDS:
        return _hold(words, options.json)
    if action in _REQUEUES:
        return _requeue(action, words, options.running, options.json)
    if action in _SIMPLE:
        verb, said = _SIMPLE[action]
        return _act(verb, {"selectors": _some(action, _listed(words))}, said, options.json)
    if action in _TOLD:
        return _told(action, _some(action, _listed(words)), options.json)
    if action in _LATER:
        raise NotSupported(f"ccontrol {action} is not supported yet: there are {', '.join(_ACTIONS)}")
    from crane_celery.grammar.names import did_you_mean

    hint = did_you_mean(action, (*_ACTIONS, *_LATER)) or f": there are {', '.join(_ACTIONS)}"
    raise InputError(f"unknown action {options.action!r}{hint}")


def _show(words: list[str], as_json: bool) -> int:
    from cli.common.control_words import listed
    from crane_celery.gateway.client import call

    first, equals, name = words[0].partition("=") if words else ("", "", "")
    from cli.common import host_lists

    if kind := host_lists.KINDS.get(first.lower()):
        return host_lists.show(kind, [name, *words[1:]] if equals else words[1:], as_json)
    what = kind_of(first)
    rest = ids(listed([name, *words[1:]] if equals else words[1:])) if equals or words[1:] else ""
    names = _split(rest)
    asked = {"selectors": _some("show dependents of", rest)} if what == "dependents" else {"what": what, "names": names}
    records = call("dependents" if what == "dependents" else "show", asked)
    if as_json:
        return _as_json({"ok": True, f"{what}_info_list": records})
    from cli.output import text_records
    from cli.output.render import print_lines

    print_lines([text_records.text(what, records)])
    return 0


def kind_of(word: str) -> str:
    """Return what ``show`` is to show: ``job`` for ``Jobs`` or ``jobid``. InputError for anything else."""
    from crane_celery.grammar.names import did_you_mean

    what = word.lower().removesuffix("id").removesuffix("name").removesuffix("s")
    what = _KINDS.get(what, what)
    if what == "reservation":
        raise NotSupported(f"ccontrol show reservation is not supported yet: there are {', '.join(_SHOWN)}")
    if what not in _SHOWN:
        raise InputError(f"show what? write one of {', '.join(_SHOWN)}{did_you_mean(what, _SHOWN) if what else ''}")
    return what


def _update(words: list[str], as_json: bool) -> int:
    from cli.common.control_words import changes

    kind, names, wanted = changes(words)
    if kind == "job":
        from crane_celery.zone import zone

        return _act("update", {"selectors": names, "set": wanted, "tz": zone()}, "modified", as_json)
    if kind == "partition":
        raise NotSupported("partitions are changed in the configuration file: see docs/configuration.md")
    return _act("update_node", _node_change(names, wanted), "modified", as_json, "Nodes")


def _node_change(names: str, wanted: dict[str, str]) -> dict[str, Any]:
    """Return what to ask for a change of nodes. InputError for a key of another name, or a drain without a reason."""
    from crane_celery.grammar.names import did_you_mean

    for key in wanted:
        if key not in ("state", "reason"):
            hint = did_you_mean(key, ("state", "reason")) or ": there are state and reason"
            raise InputError(f"unknown key {key!r} of a node{hint}")
    state, reason = wanted.get("state", "").lower(), wanted.get("reason", "")
    if not state:
        raise InputError("which state? write state=drain, state=resume or state=down")
    if state == "drain" and not reason.strip():
        raise InputError("a drain needs a reason, for those who find the node drained: write reason=TEXT")
    return {"names": _split(names), "state": state, "reason": reason}


def _hold(words: list[str], as_json: bool) -> int:
    from cli.common.control_words import ids_and

    chosen, given = ids_and(words, "timelimit", "time")
    asked: dict[str, Any] = {"selectors": _some("hold", chosen)}
    if len(given) > 1:
        raise InputError(f"give {' or '.join(given)}, not both: how long to hold")
    for key, value in given.items():
        if not value.strip():
            raise InputError(f"{key}= has no value: write how long, such as 1:00:00, or leave it out: until released")
        asked["time"] = value
    return _act("hold", asked, "modified", as_json)


def _switches_first(argv: list[str]) -> list[str]:
    """``--running`` may stand anywhere behind ``requeue``."""
    if "--running" not in argv or not any(word.lower() in _REQUEUES for word in argv[: argv.index("--running")]):
        return argv
    return ["--running", *(word for word in argv if word != "--running")]


def _requeue(action: str, words: list[str], running: bool, as_json: bool) -> int:
    incomplete = bool(words) and words[0].lower() == "incomplete"
    if running and not incomplete:
        raise InputError(f"--running goes with {action} incomplete: without it what is at work is requeued anyway")
    from cli.common.control_words import ids_and_changes

    chosen, wanted = ids_and_changes(words[1:] if incomplete else words)
    asked: dict[str, Any] = {"selectors": _some(action, chosen)}
    if incomplete:
        asked |= {"incomplete": True, "running": running}
    if wanted:
        from crane_celery.zone import zone

        asked |= {"set": wanted, "tz": zone()}
    return _act(action, asked, _REQUEUES[action], as_json)


def _listed(words: Sequence[str]) -> str:
    from cli.common.control_words import listed

    return listed(words)


def _some(action: str, chosen: str) -> str:
    if not chosen.strip():
        raise InputError(f"{action} which jobs? write ids such as 12, 12_4 or 12_[1-3]")
    return chosen


def _split(text: str) -> list[str]:
    """The items of a comma list, commas in brackets left alone."""
    from crane_celery.grammar._lex import split_outside

    return [item.strip() for item in split_outside(text, ",") if item.strip()]


def _act(verb: str, asked: dict[str, Any], said: str, as_json: bool, what: str = "Jobs") -> int:
    """Ask; say for which it was done, and of each other why not. 4 when there is one."""
    from crane_celery.gateway.client import call

    outcome: dict[str, Any] = call(verb, asked)
    done, failed = outcome["done"], outcome["failed"]
    if as_json:
        notes = {"notes": outcome["notes"]} if outcome.get("notes") else {}
        _as_json({"ok": not failed, "modified": done, "failed": failed, **notes})
        return _REFUSED if failed else 0
    from cli.output.id_text import brief

    if done:
        say(f"{what[: -1 if said == 'requeued' else None]} {', '.join(map(brief, done))} {said} successfully.")
    for note in outcome.get("notes", ()):
        say(note)
    doing = "requeue" if verb.startswith("requeue") else "modify"
    for shown, why in failed:
        full = why if why.endswith(("?", ".")) else f"{why}."
        complain(f"Failed to {doing} {what[:-1].lower()}: {brief(shown)}. Reason: {full}")
    return _REFUSED if failed else 0


def _told(verb: str, chosen: str, as_json: bool) -> int:
    from crane_celery.gateway.client import call

    asked = {"selectors": chosen}
    if verb == "explain":
        from crane_celery.zone import zone

        asked["tz"] = zone()
    answer = call(verb, asked)
    if as_json and verb == "explain":
        from cli.output.last_lines import with_lines

        answer = [{**each, "started": [with_lines(row) for row in each.get("started", ())]} for each in answer]
    if as_json:
        return _as_json({"ok": True, verb: answer})
    from cli.output import explanation
    from cli.output.render import print_lines

    show: Callable[[Any], str] = getattr(explanation, verb)
    print_lines([show(answer)])
    return 0


def _as_json(value: dict[str, Any]) -> int:
    from cli.output.render import print_json

    print_json(value)
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
