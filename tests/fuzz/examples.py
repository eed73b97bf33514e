"""A plain request of each verb of the gateway, and a plain value of each option, filter and key: what tests change."""

from typing import Any

#: options of a submission
OPTIONS: dict[str, Any] = {
    "job_name": "a", "nodes": "1", "ntasks": "2", "ntasks_per_node": "1", "cpus_per_task": "1", "mem": "1G",
    "gres": "gpu:a100:1", "time": "10", "partition": "main", "chdir": "/tmp", "output": "%j.out", "error": "e",
    "input": "/dev/null",
    "open_mode": "append", "array": "0-3%2", "dependency": "afterok:1", "hold": True, "nodelist": "cn[1-2]",
    "exclude": "cn3",
    "exclusive": False, "interpreter": "/bin/sh", "repeat": "2", "get_user_env": False, "command": "x",
    "begin": "now+1hour",
    "deadline": "2030-01-01", "signal": "USR1@60", "licenses": "matlab:1", "constraint": "ssd", "requeue": "yes",
    "extra_attr": '{"a":1}', "array_max_fails": "1", "gpus": "1", "gpus_per_node": "1", "dialect": "slurm",
    "comment": "c", "qos": "q",
    "account": "acc", "mem_per_cpu": "100M", "kill_on_invalid_dep": "yes", "mail_type": "END", "mail_user": "x",
    "priority": "5",
}  # fmt: skip
#: conditions of a listing
FILTERS: dict[str, Any] = {
    "names": ["a"], "users": ["root"], "partitions": ["main"], "accounts": ["x"], "qos": ["q"], "nodes": ["cn[1-2]"],
    "states": ["running"], "self": True, "kinds": ["job"], "licenses": ["matlab"],
}  # fmt: skip
#: keys of an update
SET = {
    "timelimit": "10", "priority": "5", "deadline": "tomorrow", "begin": "now", "dependency": "afterok:2",
    "arraytaskthrottle": "2",
    "jobname": "x", "comment": "c", "partition": "main", "nodelist": "cn1", "numnodes": "1", "numtasks": "1",
    "cpuspertask": "1",
    "mempernode": "1G", "gres": "gpu:1", "exclusive": "no", "requeue": "1", "killoninvaliddep": "yes",
    "arraymaxfails": "1",
    "account": "a", "qos": "q", "wckey": "w", "mailuser": "m", "ntaskspernode": "1", "excludenodelist": "cn2",
}  # fmt: skip
#: one job of a submission
JOB: dict[str, Any] = {
    "options": {"time": "10"}, "script": "#!/bin/sh\necho x\n", "argv": ["a"], "env": {"A": "b"}, "cwd": "/tmp",
    "tz": "UTC",
    "umask": 18, "host": "h", "where": {"time": "line 3"}, "items": ["x", "y"],
}  # fmt: skip
#: arguments by verb
REQUESTS: dict[str, Any] = {
    "submit": {"jobs": [JOB], "common": {"env": {"B": "c"}}, "key": "k"},
    "testonly": {"jobs": [JOB]},
    "retry": {"selectors": "2", "hold": False, "key": "k"},
    "cancel": {"selectors": "1", "filters": {}, "signal": "TERM", "script": False, "cascade": True},
    "jobs": {"selectors": "1", "limit": 5, "columns": ["id", "state"], "cut": 10, **FILTERS},
    "steps": {"selectors": "1.1", **FILTERS},
    "show": {"what": "job", "names": ["1"]},
    "nodes": {},
    "history": {
        "selectors": "7", "start": "2026-01-01~", "end": "~tomorrow", "submit": "now-1day~", "tz": "UTC", "limit": 5,
        "steps": True,
        "summary": False, **FILTERS,
    },
    "output": {"selectors": "1", "failed": 2},
    "usage": {"selectors": "7"},
    "watch": {"verb": "jobs", "args": {"limit": 5}},
    "explain": {"selectors": "2", "tz": "UTC"},
    "story": {"selectors": "7"},
    "dependents": {"selectors": "1"},
    "start": {"selectors": "2"},
    "wait": {"ids": ["1", 2, "2_1"]},
    "update": {"selectors": "2", "set": {}, "tz": "UTC"},
    "hold": {"selectors": "2", "time": "10"},
    "release": {"selectors": "2"}, "suspend": {"selectors": "1"}, "resume": {"selectors": "1"},
    "requeuehold": {"selectors": "1"},
    "top": {"selectors": "2"}, "requeue": {"selectors": "1", "incomplete": False},
    "update_node": {"names": ["cn1"], "state": "drain", "reason": "r"},
    "ping": {},
}  # fmt: skip
