"""``crane quarantine``: what daemons of this host could not process and have set aside."""

from __future__ import annotations

import json
import os
from datetime import datetime

from cli.common.main import say
from cli.common.options import Parser
from cli.output.render import print_json
from crane_celery import quarantine as store
from crane_celery.errors import CraneError, InputError, Refused
from crane_celery.grammar.printable import printable
from crane_celery.settings import home_of, load

_ACTIONS = ("list", "show", "retry", "drop")


def quarantine(argv: list[str]) -> int:
    """List, show, retry or drop items. Raises NotFound for an id that there is not, Refused when it fails again."""
    parser = Parser(
        "crane quarantine",
        "Items that a daemon of this host could not process and has set aside, so that all others go on.",
        epilog="examples:\n  crane quarantine list\n  crane quarantine retry event-1700000000000-0-end-0\n"
        "  crane quarantine drop all\n",
    )
    parser.add_argument("action", choices=_ACTIONS, help="list; show ID; retry ID...; drop ID...")
    parser.add_argument("ids", nargs="*", metavar="ID", help="items, or all")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    asked = parser.parse(argv)
    home = os.path.abspath(asked.home) if asked.home else home_of()
    os.environ["CRANE_HOME"] = home
    folder = store.folder_of(home)
    if asked.action == "list":
        return _list(folder, asked.json)
    if not asked.ids:
        raise InputError(f"crane quarantine {asked.action} needs an id, or all; `crane quarantine list` shows them")
    ids = [item.id for item in store.listed(folder)] if asked.ids == ["all"] else asked.ids
    for item in [store.get(folder, id) for id in ids]:
        if asked.action == "show":
            print_json(item._asdict())
        elif asked.action == "drop":
            store.drop(folder, item.id)
            say(f"dropped {item.id}")
        else:
            _retry(folder, item)
    return 0


def _list(folder: str, as_json: bool) -> int:
    items = store.listed(folder)
    if as_json:
        print_json([item._asdict() for item in items])
        return 0
    for item in items:
        when = datetime.fromtimestamp(item.at).isoformat(" ", "seconds")
        again = " (to be tried again)" if item.retry else ""
        say(f"{item.id}  {when}  {item.process}{again}", f"    {printable(item.error)}")
        say(f"    {printable(json.dumps(item.value)[:200])}")
    if not items:
        say("nothing is set aside")
    return 0


def _retry(folder: str, item: store.Item) -> None:
    """Try an item again: the history's here and now, a node's by that node within a minute."""
    if item.kind != "event":
        store.put(folder, item._replace(retry=True))
        say(f"{item.id}: {item.process} tries it again within a minute")
        return
    from crane_celery.history.engine import Database
    from crane_celery.history.filing import Filing
    from crane_celery.history.sieve import retry

    settings = load()
    database = Database(settings.history_url)
    try:
        retry(Filing(database, settings.priority.half_life_s), item)
    except CraneError:
        raise
    except Exception as error:
        raise Refused(f"{item.id} failed again: {type(error).__name__}: {error}; `crane quarantine drop` it") from error
    finally:
        database.close()
    store.drop(folder, item.id)
    say(f"{item.id}: filed")
