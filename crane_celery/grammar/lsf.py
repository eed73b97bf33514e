"""LSF's options in ``#BSUB`` lines, in our words (reference/cranesched.md section 1.1 for the list).

An option is taken by its exact name: LSF's names have one dash and several letters, so that reading ``-oo`` as ``-o o``
would be a wrong reading. What is LSF's and not there yet is refused by name.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError, NotSupported
from crane_celery.grammar._lex import quote

#: LSF's options -> ours
OPTIONS = {
    "-J": "--job-name",
    "-i": "--input",
    "-o": "--output",
    "-e": "--error",
    "-nnode": "--nodes",
    "-n": "--ntasks-per-node",
    "-W": "--time",
    "-M": "--mem",
    "-cwd": "--chdir",
    "-q": "--partition",
    "-env": "--export",
}
#: what to write instead of some that are not there
_ADVICE = {
    "-oo": "write -o, which begins a new file here, too",
    "-eo": "write -e, which begins a new file here, too",
    "-nnodes": "write -nnode N",
    "-R": "ask for memory with -M, for CPUs with -n, for features with #CBATCH --constraint",
    "-P": "write #CBATCH --account=NAME",
    "-w": "write #CBATCH --dependency=EXPR",
    "-x": "write #CBATCH --exclusive",
    "-H": "write #CBATCH --hold",
    "-b": "write #CBATCH --begin=TIME",
    "-t": "write #CBATCH --deadline=TIME",
    "-m": "write #CBATCH --nodelist=HOSTS",
    "-gpu": "write #CBATCH --gpus-per-node=N",
    "-r": "write #CBATCH --requeue",
    "-rn": "write #CBATCH --no-requeue",
    "-K": "wait with cbatch --wait",
    "-sp": "priorities are the operators'",
}
#: LSF's other options, by name
_OTHERS = """
-B -C -D -E -Ep -F -G -H -I -IS -ISp -ISs -Ip -Ipx -Is -K -L -Lp -N -Ne -P -Q -R -S -T -Ti -U -XF
-Zs -a -alloc_flags -app -ar -b -c -clusters -cn_cu -cn_mem -core_isolation -data -datagrp -eo -eptl
-ext -f -freq -g -gpu -hl -hostfile -is -jm -jobaff -jsdl -jsdl_strict -jsm -json -k -ln_mem
-ln_slots -m -mig -nnodes -notify -oo -outdir -p -pack -ptl -r -rcacct -rn -rnc -s -sla -smt -sp
-stage -step_cgroup -t -ti -tn -tty -u -ul -v -w -wa -wt -x -yaml
"""
_ACTIONS = ("-h", "-V", "-help")


def translate(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words of one line in our words. Raises InputError, NotSupported."""
    words: list[str] = []
    left = iter(argv)
    for name in left:
        if name not in OPTIONS:
            raise _refusal(name)
        value = next(left, None)
        if value is None:
            raise InputError(f"{name} has no value")
        found = re.fullmatch(r"(?s)(.*)\[(.*)\](%.*)?", value) if name == "-J" else None
        if found:  # arrays: name[indexes]%limit
            words.append(f"--array={found[2]}{found[3] or ''}")
            value = found[1]
        if value or not found:
            words.append(f"{OPTIONS[name]}={_converted(name, value)}")
    return tuple(words)


def _refusal(name: str) -> InputError | NotSupported:
    """Why an option is not taken."""
    if name in _ACTIONS:
        return InputError(f"{name} is an action of a command, not an option of a job: take it out")
    if name in _OTHERS.split():
        return NotSupported(f"{name} of LSF is not supported yet: {_ADVICE.get(name, 'leave it out')}")
    if not name.startswith("-"):
        return InputError(f"{quote(name)} is no option; write an option and its value, such as -n 4")
    attached = next((each for each in sorted(OPTIONS, key=len, reverse=True) if name.startswith(each)), "")
    if attached and not name[len(attached) :].isalpha():
        value = name[len(attached) :].lstrip("=")
        return InputError(f"unknown option {quote(name)}; write a blank before the value: {attached} {quote(value)}")
    return InputError(f"unknown option {quote(name)}: of LSF's there are {' '.join(OPTIONS)}")


def _converted(name: str, value: str) -> str:
    """A value as we write it: LSF's clock is ``hours:minutes``, its export words are small, its sizes may have a B, and
    its ``%J`` is the array's id where there is one."""
    if name == "-W" and value.count(":") == 1:
        return f"{value}:00"
    if name == "-M":
        return re.sub(r"(?i)(?<=[KMGT])B$", "", value)
    if name in ("-i", "-o", "-e"):
        return re.sub(r"%(\d*)(.)", lambda found: f"%{found[1]}A" if found[2] == "J" else found[0], value)
    return value.upper() if name == "-env" and value.lower() in ("all", "none") else value
