"""Decide whether another run follows the end of one: one table (reference/cranesched.md sections 2.7 and 9). Pure.

The ends of the store's scripts decide by the same rule in Lua (store/lua/lib/ends.lua), which gets the sets below
(store.lua_tables); the contract suite compares.
"""

from crane_celery.model.job import Element, JobSpec
from crane_celery.model.states import CGROUP, NODE_DOWN, RPC, State

#: ends that are nobody's will but the machine's
NODE_CODES = frozenset({NODE_DOWN, RPC, CGROUP})
#: states after which only a request by name runs it again
NEVER_BY_POLICY = frozenset({State.COMPLETED, State.CANCELLED, State.DEADLINE})


def policy_of(spec: JobSpec) -> str:
    """``never``, ``node`` or ``failure``; an interactive job has nobody to talk to in a second run."""
    return "never" if spec.kind == "Interactive" else spec.requeue


def follows(spec: JobSpec, run: Element, state: State, code: int) -> str:
    """Return what follows when ``run`` ends so: "" = nothing, "requeue", or "hold" (pending again, and held).

    ``spec`` is the one in force for it. A cancel wins over everything; what somebody asked for wins over the policy,
    whatever the end; after ``max_requeue`` requeues it is held.
    """
    if run.cancelled:
        return ""
    if run.then:
        return run.then
    policy = policy_of(spec)
    if state in NEVER_BY_POLICY or policy == "never" or (policy == "node" and code not in NODE_CODES):
        return ""
    return "hold" if run.run > spec.max_requeue else "requeue"
