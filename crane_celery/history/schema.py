"""Tables of the history, as of ``VERSION``; ``migrations`` brings older ones here.

``run`` is the large one: a row per ended run, about 100 bytes, written once. It is stored in the order of ids (newest
first is a walk from the end), and its two indexes hold all that time, user and state filters ask for, so that a search
among millions reads the index only. What a run held is interned in ``allocation``: clusters repeat few shapes.
Elements that ended while pending are a row per event in ``cancelled``, whatever their number and pattern. ``open_run``
holds what the end of a run needs of its start. ``told`` is what happened to a submission beside its runs, a row per
event. ``person`` finds uids by name, and sums up what each has held. ``cursor`` moves in the transaction that files the
events before it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

from crane_celery.history.text import AnyString, AnyText
from crane_celery.model.states import TERMINATED, State

VERSION = 5
METADATA = MetaData()


def _key(name: str, kind: type[BigInteger] | type[Integer] = BigInteger) -> Column[int]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _time(name: str) -> Column[float]:
    """Server seconds, 0 = not (yet)."""
    return Column(name, Float(53), nullable=False, default=0.0)


SCHEMA_VERSION = Table("schema_version", METADATA, _key("version", Integer))

#: one row: the newest event that is filed, as the two halves of its stream id; and whether a gap is to be
#: closed
CURSOR = Table(
    "cursor",
    METADATA,
    _key("only", Integer),
    Column("ms", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("gap", SmallInteger, nullable=False),
    #: seconds after which ``person.used`` counts half; -1 = it is to be summed up anew
    Column("half_life", Float(53), nullable=False, default=-1.0),
)

SUBMISSION = Table(
    "submission",
    METADATA,
    _key("job"),
    Column("count", BigInteger, nullable=False),
    _time("submitted_at"),
    _time("done_at"),
    Column("uid", BigInteger, nullable=False),
    Column("user", AnyString, nullable=False),
    Column("name", AnyString, nullable=False),
    Column("partition", AnyString, nullable=False),
    Column("account", AnyString, nullable=False),
    Column("qos", AnyString, nullable=False),
    Column("record", AnyText, nullable=False),  # the whole of it as submitted (history.record)
    #: what was changed since, by ranks (model.overrides); what was changed for all is in the columns above too
    Column("changes", AnyText, nullable=False, default=""),
    Index("submission_by_name", "name"),
    Index("submission_by_time", "submitted_at", "job", "count"),
)

#: ``run.again``: the last run of its element; one after which it was pending again; and then held
FINAL, REQUEUED, REQUEUED_HELD = 0, 1, 2

RUN = Table(
    "run",
    METADATA,
    _key("id"),
    _key("run", Integer),
    Column("job", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("code", SmallInteger, nullable=False),
    _time("leased_at"),
    _time("began_at"),
    _time("ended_at"),
    Column("allocation", Integer, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("cpu_s", Float(53), nullable=False),
    Column("memory_peak", BigInteger, nullable=False),
    Column("memory_deaths", Integer, nullable=False, default=0),
    Column("again", SmallInteger, nullable=False, default=FINAL),
    Column("suspended_s", Float(53), nullable=False, default=0.0),  # seconds that do not count as run
    Index("run_by_user", "uid", "ended_at", "began_at", "state", "job"),
    Index("run_by_end", "ended_at", "began_at", "state", "job"),
    sqlite_with_rowid=False,
)

OPEN_RUN = Table(
    "open_run",
    METADATA,
    _key("id"),
    _key("run", Integer),
    Column("job", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    _time("leased_at"),
    Column("allocation", Integer, nullable=False),
    _time("suspended_at"),  # since when it is
    Column("suspended_s", Float(53), nullable=False, default=0.0),  # earlier suspensions
    sqlite_with_rowid=False,
)

CANCELLED = Table(
    "cancelled",
    METADATA,
    _key("job"),
    _key("last"),  # the highest of its ranks, which no two rows of a submission have in common
    Column("first", BigInteger, nullable=False),  # and the lowest
    Column("count", BigInteger, nullable=False),  # how many
    _time("at"),
    Column("uid", BigInteger, nullable=False),  # whose job it was
    Column("by_uid", BigInteger, nullable=False),  # who cancelled it
    Column("state", String, nullable=False, default=State.CANCELLED.value),
    Column("code", SmallInteger, nullable=False, default=TERMINATED),
    Column("reason", AnyText, nullable=False, default=""),
    #: which they are, as range text; "" = all from first to last. May be long: the last column, read where asked for
    Column("ranks", AnyText, nullable=False, default=""),
    Index("cancelled_by_user", "uid", "at"),
    sqlite_with_rowid=False,
)

TOLD = Table(
    "told",
    METADATA,
    _key("job"),
    _key("ms"),  # the event's stream id, and which of its rows
    _key("seq"),
    _key("nth", Integer),
    _time("at"),
    Column("kind", String, nullable=False),
    Column("ranks", AnyText, nullable=False),  # range text; "" = all
    Column("detail", AnyText, nullable=False),  # a JSON object, "" = nothing more
    Column("by_uid", BigInteger, nullable=False),  # -1 = nobody said
    sqlite_with_rowid=False,
)

#: ``used``: CPU seconds held, as they counted at ``used_at``
PERSON = Table(
    "person",
    METADATA,
    Column("user", AnyString, primary_key=True),
    _key("uid"),
    Column("used", Float(53), nullable=False, default=0.0),
    _time("used_at"),
    sqlite_with_rowid=False,
)

STEP = Table(
    "step",
    METADATA,
    _key("id"),
    _key("run", Integer),
    _key("step", Integer),
    Column("name", AnyString, nullable=False),
    Column("state", String, nullable=False),
    Column("node", AnyText, nullable=False),
    Column("ntasks", Integer, nullable=False),
    Column("cpus", Float(53), nullable=False),
    Column("memory", BigInteger, nullable=False),
    Column("command", AnyText, nullable=False),
    _time("began_at"),
    _time("ended_at"),
    Column("code", SmallInteger, nullable=False),
    Column("cpu_s", Float(53), nullable=False),
    Column("memory_peak", BigInteger, nullable=False),
    Column("memory_deaths", Integer, nullable=False, default=0),
    sqlite_with_rowid=False,
)

#: ``text`` is JSON: [[node, cpus, memory, {gres: [slots]}], ...]; found by its digest, being too long for some indexes
ALLOCATION = Table(
    "allocation",
    METADATA,
    Column("allocation", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("text", AnyText, nullable=False),
    UniqueConstraint("digest"),
)
ALLOCATION_NODE = Table(
    "allocation_node",
    METADATA,
    Column("node", String, primary_key=True),
    _key("allocation", Integer),
    sqlite_with_rowid=False,
)
