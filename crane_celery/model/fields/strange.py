"""Define what other systems know and we do not: by name, so that it is refused as what it is and never read as
another."""

from __future__ import annotations

from crane_celery.model.fields.row import REFUSED, Field


def _refused(front: str, names: str, why: str = "leave it out") -> Field:
    """Return the row of an option that only ``front`` knows, refused."""
    key = names.split()[-1].lstrip("-").replace("-", "_")
    slurm, lsf = (names, "") if front == "slurm" else ("", names)
    return Field(key, slurm=slurm, lsf=lsf, value="X", effect=REFUSED, why=why)


_SLURMS = """
acctg-freq batch bb bbf burst-buffer cluster-constraint consolidate-segments container container-id
cpu-bind delay-boot export-file extra gid gpu-bind gpu-freq gpus-per-socket gres-flags ignore-pbs mcs-label
mem-bind mincores mincpus minsockets minthreads network ntasks-per-core oom-kill-step power prefer
profile quiet reboot resv-ports segment share sockets-per-board spread-job stepmgr thread-spec
tres-bind tres-per-task uid umask use-min-nodes wait-all-nodes
"""
SLURMS = (
    *(_refused("slurm", f"--{name}") for name in _SLURMS.split()),
    _refused("slurm", "-B --extra-node-info"),
    _refused("slurm", "-F --nodefile"),
    _refused("slurm", "-I --immediate"),
    _refused("slurm", "-r --relative"),
    _refused("slurm", "-S --core-spec"),
)

_LSFS = """
-C -D -E -Ep -F -G -I -IS -ISp -ISs -Ip -Ipx -Is -L -Lp -Ne -Q -S -T -Ti -XF
-Zs -a -app -ar -c -clusters -cn_cu -cn_mem -core_isolation -data -datagrp -eptl
-ext -f -freq -g -hl -hostfile -is -jm -jobaff -jsdl -jsdl_strict -jsm -json -k -ln_mem
-ln_slots -mig -notify -outdir -p -pack -ptl -rcacct -rnc -s -sla -smt
-stage -step_cgroup -ti -tn -tty -ul -v -wa -wt -yaml
"""
LSFS = (
    *(_refused("lsf", name) for name in _LSFS.split()),
    *(
        _refused("lsf", name, why)
        for name, why in (
            ("-U", "there are no reservations here yet: leave it out"),
            ("-w", "write #CBATCH --dependency=EXPR"),
            ("-b", "write #CBATCH --begin=TIME"),
            ("-t", "write #CBATCH --deadline=TIME"),
            ("-m", "write #CBATCH --nodelist=HOSTS"),
            ("-K", "wait with cbatch --wait"),
            ("-sp", "priorities are the operators'"),
        )
    ),
)
