"""Define what real scripts of other systems have: recorded without effect, or refused with what serves instead."""

from __future__ import annotations

from crane_celery.model.fields.row import RECORDED, REFUSED, Change, Field, Filter, Shown

_NONE = "recorded, without effect"

KEPT = (
    Field(
        "account",
        "-A --account",
        lsf="-P",
        value="NAME",
        help=_NONE,
        effect=RECORDED,
        read="account",
        sets=("account",),
        changeable=True,
        in_rows=True,
        change=Change("account", "account"),
        queue=Shown("a", "ACCOUNT", "or_dash"),
        past=Shown("a", "ACCOUNT"),
        filter=Filter("accounts", "-A --account", "only these accounts", searched=True),
        json="account",
    ),
    Field(
        "qos",
        "-q -Q --qos",
        value="NAME",
        help=_NONE,
        effect=RECORDED,
        read="qos",
        sets=("qos",),
        changeable=True,
        in_rows=True,
        change=Change("qos", "quality of service"),
        queue=Shown("q", "QOS", "or_dash"),
        past=Shown("q", "QOS"),
        filter=Filter("qos", "-q --qos", "only these QoS", "cqueue cacct", searched=True),
        json="qos",
    ),
    Field(
        "mail_type",
        "--mail-type",
        lsf="-B -N",
        value="LIST",
        help=_NONE,
        effect=RECORDED,
        sets=("extra",),
        changeable=True,
        change=Change("mailtype", "recorded"),
    ),
    Field(
        "mail_user",
        "--mail-user",
        lsf="-u",
        value="NAME",
        help=_NONE,
        effect=RECORDED,
        sets=("extra",),
        change=Change("mailuser", "recorded"),
    ),
    Field(
        "comment",
        "--comment",
        value="TEXT",
        help=_NONE,
        effect=RECORDED,
        read="text",
        sets=("comment",),
        changeable=True,
        in_rows=True,
        change=Change("comment", "text that is kept with the job"),
        queue=Shown("k", "COMMENT"),
        past=Shown("k", "COMMENT"),
    ),
    Field(
        "wckey",
        "--wckey",
        value="KEY",
        help=_NONE,
        effect=RECORDED,
        read="text",
        sets=("wckey",),
        changeable=True,
        asked=True,
        in_rows=True,
        change=Change("wckey", "key, recorded"),
        queue=Shown("", "WCKEY", also="wckey"),
        past=Shown("K", "WCKEY"),
        json="wckey",
    ),
    Field(
        "priority",
        "--priority",
        value="N",
        help=_NONE,
        effect=RECORDED,
        sets=("extra",),
        changeable=True,
        change=Change("priority", "a number; 0 for the usual one; only operators go above it", True),
    ),
    *(
        Field(key, ours, slurm, lsf, value=value, help=_NONE, effect=RECORDED, sets=("extra",), asked=asked)
        for key, ours, slurm, lsf, value, asked in (
            ("cpu_freq", "--cpu-freq", None, "", "FREQ", False),
            ("distribution", "-m --distribution", None, "", "HOW", True),
            ("ntasks_per_socket", "--ntasks-per-socket", None, "", "N", False),
            ("sockets_per_node", "--sockets-per-node", None, "", "N", False),
            ("cores_per_socket", "--cores-per-socket", None, "", "N", False),
            ("threads_per_core", "--threads-per-core", None, "", "N", True),
            ("hint", "--hint", None, "", "TYPE", False),
            ("contiguous", "--contiguous", None, "", "", False),
            ("switches", "--switches", None, "", "N[@TIME]", False),
            ("propagate", "--propagate", None, "", "[LIMITS]", False),
            ("oversubscribe", "--oversubscribe", "-s --oversubscribe", "", "", False),
            ("overcommit", "--overcommit", "-O --overcommit", "", "", False),
            ("alloc_flags", "--alloc-flags", "", "-alloc_flags", "FLAGS", False),
            ("no_kill", "--no-kill", "-k --no-kill", "", "[off]", False),
        )
    ),
)


LATER = (
    Field(
        "reservation",
        "-r --reservation",
        slurm="--reservation",
        value="NAME",
        effect=REFUSED,
        why="there are no reservations here yet: leave it out",
    ),
    *(
        Field(name.replace("-", "_"), f"--{name}", value=value, effect=REFUSED, why="leave it out")
        for name, value in (
            *(("pod", ""), ("pod-userns", ""), ("pod-host-network", "")),
            *(("pod-name", "X"), ("pod-port", "X"), ("pod-user", "X"), ("pod-dns", "X")),
        )
    ),
)
