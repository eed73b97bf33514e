"""Define what the leading scheduler does on a server. See store.api.leader."""

from __future__ import annotations

from collections.abc import Sequence

from crane_celery.store import script_args
from crane_celery.store.api import Answer, Forgotten, Question
from crane_celery.store.codec import dumps
from crane_celery.store.redis.part import READ, Part

#: verdicts stored by one script call
JUDGE = 100
#: steps in which one call forgets: the leader has other things to do
FORGET = 4


class RedisLeader(Part):
    """store.api.LeaderStore without the snapshot, which needs the other parts (RedisStore)."""

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease. See store.api."""
        fence: int = self.link.run("lead", holder, dumps(holder), max(1, round(ttl_s * 1000)))
        return fence

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours."""
        self.link.run("resign", holder)

    def note_plan(self, fence: int, text: str) -> None:
        """Note what the last plan says. See store.api."""
        self.link.run("note_plan", fence, text)

    def noted_plan(self) -> str:
        """Return what the latest leader noted. See store.api."""
        return (self.link.do("GET", self.keys.one("plan")) or b"").decode()

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Dependants to be judged. See store.api."""
        more, found = self.link.run("questions", fence, limit)
        while more and not found and limit > 0:  # a portion may hold nothing but dependants that wait no more
            more, found = self.link.run("questions", fence, limit)
        return [script_args.question(row) for row in found]

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts, 100 in one step. See store.api."""
        for at in range(0, len(answers), JUDGE):
            some = answers[at : at + JUDGE]
            flat = (arg for a in some for arg in (a.job, a.dep, f"{a.ready:.6f}", a.corr, a.dead))
            self.link.run("judge", fence, *flat)

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue dependants to be judged. See store.api."""
        for at in range(0, len(jobs), READ):
            self.link.run("ask", fence, *jobs[at : at + READ])

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks in this state, in portions (script_args.pieces). See store.api."""
        how = state, code, dumps(reason), int(hopeless)
        return sum(self.link.run("expire", fence, job, part, *how) for part in script_args.pieces(ranks))

    def forget(self, fence: int, before: float, limit: int) -> Forgotten:
        """Drop submissions that ended before this time and are filed, in four steps at most. See store.api."""
        dropped, more, left = 0, 1, FORGET
        while more and left and dropped < limit:
            count, more = self.link.run("forget", fence, f"{before:.6f}", min(limit - dropped, READ))
            dropped, left = dropped + count, left - 1
        return Forgotten(dropped, bool(more) or dropped >= limit)
