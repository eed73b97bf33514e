"""What real scripts of other systems have: recorded without effect, or refused with what serves instead."""

from __future__ import annotations

from crane_celery.model.fields.row import RECORDED, REFUSED, Change, Field, Filter, Shown

_NONE = "recorded, without effect"

KEPT = (
    Field(
        "account",
        "-A --account",
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
        changeable=True,
        change=Change("priority", "a number; 0 for the usual one; only operators go above it", True),
    ),
    Field("cpu_freq", "--cpu-freq", value="FREQ", help=_NONE, effect=RECORDED),
    Field("distribution", "-m --distribution", value="HOW", help=_NONE, effect=RECORDED, asked=True),
    Field("ntasks_per_socket", "--ntasks-per-socket", value="N", help=_NONE, effect=RECORDED),
    Field("sockets_per_node", "--sockets-per-node", value="N", help=_NONE, effect=RECORDED),
    Field("cores_per_socket", "--cores-per-socket", value="N", help=_NONE, effect=RECORDED),
    Field("threads_per_core", "--threads-per-core", value="N", help=_NONE, effect=RECORDED, asked=True),
)


LATER = (
    Field("reservation", "-r --reservation", slurm="--reservation", value="NAME", effect=REFUSED, why="leave it out"),
    *(
        Field(name.replace("-", "_"), f"--{name}", value=value, effect=REFUSED, why="leave it out")
        for name, value in (
            *(("pod", ""), ("pod-userns", ""), ("pod-host-network", "")),
            *(("pod-name", "X"), ("pod-port", "X"), ("pod-user", "X"), ("pod-dns", "X")),
        )
    ),
)
