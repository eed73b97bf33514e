"""Processes killed because memory ran out: what they mean for a step, and for its job.

Each step has its own leaf, and the kernel counts the deaths in each. A step or script ended for want of memory when its
leaf has a death and its own process was killed (SIGKILL), or gave the exit code by which shells and programs tell that
a child was (137); of a process that was killed itself the kernel's log says whether memory was why, where it may be
read. A script that ends with 137 may also pass on the end of a step: then the last step that was killed
says why. Any other end was not caused by a death as far as can be known: the state stays, and the count tells.
"""

import signal

from workers.cgroup import Driver
from workers.shepherd.kernel_log import KernelLog
from workers.shepherd.records import PRIMARY, Killed, Run, Step

#: the exit code of a shell whose last command was killed
_CHILD_KILLED = 128 + signal.SIGKILL
#: seconds between the end of a step and that of a script that passes it on
_PASSED_ON_S = 1.0


def of_step(run: Run, step: Step, deaths: int, log: KernelLog) -> bool:
    """Take the deaths in the leaf of a crun step that is over; whether there is anything to keep of it."""
    step.memory_deaths = deaths
    run.memory_deaths += deaths
    killed = [task for task, status in step.status.items() if status in (-signal.SIGKILL, _CHILD_KILLED)]
    if not killed:
        return deaths > 0
    memory = deaths > 0 and not step.cause and any(_of_memory(step, task, log) for task in killed)
    if memory:
        step.cause = "oom"
    run.last_killed = Killed(memory, step.ended)
    return True


def of_script(run: Run, deaths: int, log: KernelLog) -> str:
    """The cause of a run's end, with the deaths in the script's own leaf: "oom", or that which it had."""
    script, status = run.primary, run.primary.worst
    if script.cause:
        return script.cause
    if status == -signal.SIGKILL:
        return "oom" if deaths and _of_memory(script, 0, log) else ""
    if status != _CHILD_KILLED:
        return ""
    step = run.last_killed
    passed_on = step is not None and (not deaths or script.ended - step.at < _PASSED_ON_S)
    memory = step.memory if step is not None and passed_on else deaths > 0
    return "oom" if memory else ""


def _of_memory(step: Step, task: int, log: KernelLog) -> bool:
    """Return whether memory is why a task was killed, or had a child killed, in a leaf with deaths."""
    if step.status[task] != -signal.SIGKILL:
        return not step.killed
    pid, _ = step.pids.get(task, (0, 0))
    return not step.killed and log.named(pid, step.began, step.ended) is not False


def killed_by_us(run: Run, step: Step) -> None:
    """Note that a step is sent SIGKILL on somebody's word; where it is the script, all of the run is."""
    for each in run.steps.values() if step.number == PRIMARY else (step,):
        each.killed |= not each.done


def untold(run: Run, cause: str, driver: Driver) -> str:
    """A reason where nobody can know whether memory was why it was killed."""
    doubtful = not cause and run.primary.worst in (-signal.SIGKILL, _CHILD_KILLED) and not run.primary.killed
    return "killed; without cgroups it is not known whether memory ran out" if doubtful and not driver.can_oom else ""


def sentence(run: Run, deaths: int) -> str:
    """Return what is said in the job's output."""
    processes = "1 process was" if deaths == 1 else f"{deaths} processes were"
    limit = f" (limit {-(-run.memory // (1 << 20))}M)" if run.memory else ""
    return f"crane: job {run.id} ran out of memory{limit}: {processes} killed"
