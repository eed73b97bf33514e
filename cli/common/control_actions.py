"""Define what each action of ``ccontrol`` takes: for ``ccontrol ACTION --help``, its manual page and completion.

``tests/unit/cli/common/test_control_actions.py`` compares the keys with those that the gateway takes.
"""

from __future__ import annotations

from crane_celery.model.fields.options import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NamedTuple

    class Action(NamedTuple):
        """One action."""

        usage: str
        what: str
        keys: dict[str, str]
        examples: tuple[str, ...]
        #: heading of the keys
        of: str
else:
    from collections import namedtuple

    Action = namedtuple("Action", "usage what keys examples of")

_IDS = "IDS are ids of jobs, arrays or elements: 12, 36_4, 36_[1-3,9], separated by commas or blanks."
#: keys of `update jobid=`, each with what it sets; * = only while the job has not started
JOB_KEYS = {
    change.keys.split()[0]: f"{change.help} *" if change.pending_only else change.help
    for change in (field.change for field in OPTIONS)
    if change
}
NODE_KEYS = {
    "state": "drain (no new jobs, what runs goes on), resume (take jobs again) or down",
    "reason": "why, for those who find the node drained; a drain needs one",
}
STATES_OF_NODES = ("drain", "resume", "down")
#: what `show` shows
SHOWN = {
    "job": "full records of jobs, arrays or elements; of all without IDS",
    "step": "steps, of all jobs or of these",
    "node": "nodes with what is free and what runs there",
    "partition": "partitions with their nodes and limits",
    "config": "the configuration in effect",
    "lic": "licences: all, used, free",
    "dependents": "what waits for these jobs, directly or not",
    "hostnames": "the names of a list such as cn[1-3], one a line; in a job of its own nodes",
    "hostlist": "the list of names such as cn1,cn2",
    "hostlistsorted": "the same, in order",
}

_REQUEUE = {
    "incomplete": "only what ended without completing; what is at work is left alone",
    "--running": "with incomplete: what is at work too, which is stopped first",
    "KEY=VALUE": "changed of what runs again, in the same step: the keys of update, such as mem=1G timelimit=2:00:00",
}

ACTIONS = {
    "show": Action("show WHAT [NAMES]", "Show full records.", SHOWN, ("show job 36_1", "show node cn[1-3]"), "what"),
    "update": Action(
        "update jobid=IDS KEY=VALUE...\n       ccontrol update nodename=HOSTS state=STATE [reason=TEXT]",
        "Change jobs, elements or nodes. KEY=VALUE or KEY VALUE, keys in any case. All is checked before anything is"
        " done. " + _IDS,
        {**JOB_KEYS, **NODE_KEYS},
        (
            "update jobid=36_[4-9] timelimit=2:00:00",
            "update jobid=12 timelimit+=30 comment='one more hour'",
            "update nodename=cn[1-3] state=drain reason='new disks'",
        ),
        "keys",
    ),
    "hold": Action(
        "hold IDS [timelimit=TIME]",
        "Keep what waits from starting, until it is released or a time has passed. " + _IDS,
        {"timelimit": "release it after this span, such as 1:00:00"},
        ("hold 12", "hold 36_[1-3] timelimit=1:00:00"),
        "keys",
    ),
    "release": Action("release IDS", "Let what is held start again. " + _IDS, {}, ("release 12",), ""),
    "suspend": Action(
        "suspend IDS", "Stop what runs. It keeps its resources; its time limit stands still. " + _IDS, {},
        ("suspend 12",), "",
    ),
    "resume": Action("resume IDS", "Let what is suspended go on. " + _IDS, {}, ("resume 12",), ""),
    "requeue": Action(
        "requeue [incomplete [--running]] IDS [KEY=VALUE...]",
        "Run jobs or elements again, under the same ids: what has ended, and what is at work, which is stopped first. "
        + _IDS,
        _REQUEUE,
        ("requeue 12 mem=1G", "requeue incomplete 36 timelimit=2:00:00", "requeue incomplete --running 36"),
        "words",
    ),
    "requeuehold": Action(
        "requeuehold [incomplete [--running]] IDS [KEY=VALUE...]",
        "Run jobs or elements again once they are released. " + _IDS,
        _REQUEUE,
        ("requeuehold 12",),
        "words",
    ),
    "top": Action("top IDS", "Put jobs before all others of their owner's. " + _IDS, {}, ("top 12",), ""),
    "explain": Action(
        "explain IDS",
        "Say why jobs wait, in numbers, or how they ended: exit code, times, limits, memory, and the last lines of"
        " their output. " + _IDS,
        {},
        ("explain 12",),
        "",
    ),
    "story": Action("story IDS", "Tell what has happened to jobs, by whom and when. " + _IDS, {}, ("story 12",), ""),
}  # fmt: skip
#: Slurm's other names
_SAME = {"holdu": "hold", "uhold": "hold"}


def asked(argv: Sequence[str]) -> str:
    """Return the help of the action that ``ACTION --help`` or ``help ACTION`` asks for, "" when neither is there."""
    words = [word for word in argv if word not in ("-h", "--help", "-J", "--json")]
    about = [word.lower() for word in words[:1]]
    if about == ["help"]:
        about = [word.lower() for word in words[1:2]]
    elif len(words) == len(argv):
        return ""
    name = _SAME.get(about[0], about[0]) if about else ""
    return page(name) if name in ACTIONS else ""


def page(name: str) -> str:
    """Return the help of an action."""
    import textwrap

    action = ACTIONS[name]
    parts = [f"usage: ccontrol {action.usage}", textwrap.fill(action.what, 100)]
    if action.keys:
        width = max(map(len, action.keys))
        rows = [f"  {key.ljust(width)}  {what}" for key, what in action.keys.items()]
        parts.append("\n".join([f"{action.of}:", *rows]))
    if any(what.endswith(" *") for what in action.keys.values()):
        parts.append("* only while the job has not started")
    parts.append("\n".join(["examples:", *(f"  ccontrol {example}" for example in action.examples)]))
    return "\n\n".join(parts)
