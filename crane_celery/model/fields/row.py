"""The shape of one row of the table of job fields."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type) -> type:
        """Give a class of annotated fields its constructor: ``dataclasses`` would cost a command 10 ms, and a named
        tuple of so many fields 0.3 ms. Nothing checks the names at run time: type checkers do."""
        names = tuple(cls.__annotations__)

        def __init__(self, *values, **named):
            self.__dict__.update(zip(names, values, strict=False), **named)

        cls.__init__ = __init__
        return cls


#: what becomes of an option: it does what it says; it is kept with the job and told in one notice; it is an error
ACTS, RECORDED, REFUSED = "acts", "recorded", "refused"


@dataclass
class Change:
    """Record of how ``ccontrol update`` sets a field."""

    #: the key, and other names of it (Slurm's), separated by blanks
    keys: str
    help: str
    #: it says how a job starts, so nothing that has started can be changed by it
    pending_only: bool = False


@dataclass
class Shown:
    """A column of a listing."""

    letter: str
    header: str
    #: how a cell is made of the row's value (cli/common/_columns.py or the listing's own)
    cell: str = "text"
    #: other names in a format, separated by blanks
    also: str = ""


@dataclass
class Filter:
    """A condition of listings."""

    #: its name in requests of the gateway
    name: str
    #: the options of listings, and of ccancel, separated by blanks; "" = none
    options: str = ""
    help: str = ""
    #: the commands that have it
    commands: str = "cqueue cacct ccancel"
    #: a row passes where its value is one of those asked for
    equal: bool = True
    #: the history has a column of it, so that an index may find it
    searched: bool = False


@dataclass
class Field:
    """One thing that a job is asked for, or that is known of it. Everything but the key has a default."""

    #: name in a request's options and in rows of listings
    key: str
    #: names of the option at our commands and in ``#CBATCH`` lines, separated by blanks; "" = none
    ours: str = ""
    #: names at Slurm's commands and in ``#SBATCH`` lines; None = as ours
    slurm: str | None = None
    #: names in ``#BSUB`` lines
    lsf: str = ""
    #: what stands for the value in a help; "" = a switch; in brackets = a switch that may have a value
    value: str = ""
    #: of a switch that is one of several for a key: what it says
    const: str = ""
    help: str = ""
    #: what LSF's name means, where that is more than ours
    lsf_help: str = ""
    #: acts, recorded or refused; and the reason, or the advice, of what does not act
    effect: str = ACTS
    why: str = ""
    #: name of the grammar that reads it into the one field that it sets (service/submit/options.py); "" = a reader of
    #: its own
    read: str = ""
    #: fields of a specification (model.job.JobSpec) that it sets
    sets: tuple[str, ...] = ()
    #: whether these may be changed after submission
    changeable: bool = False
    #: an empty value asks for nothing
    many: bool = False
    #: for the command that submits, and not sent to the gateway
    local: bool = False
    #: Slurm's variables repeat it only where it was given
    asked: bool = False
    #: why an array that is submitted again cannot have it otherwise; "" = it can
    fixed: str = ""
    change: Change | None = None
    #: columns of cqueue and of cacct
    queue: Shown | None = None
    past: Shown | None = None
    filter: Filter | None = None
    #: name and form in ``--json``, such as ``time_limit:span``; "" = none of its own
    json: str = ""
    #: a listing's row has the specification's field of this name as it was submitted
    in_rows: bool = False

    def names(self, front: str) -> tuple[str, ...]:
        """Return the option's names at a front end: ours, slurm or lsf."""
        text = self.lsf if front == "lsf" else self.slurm if front == "slurm" and self.slurm is not None else self.ours
        return tuple(text.split())

    @property
    def option(self) -> str:
        """The option as messages name it."""
        return f"--{self.key.replace('_', '-')}"
