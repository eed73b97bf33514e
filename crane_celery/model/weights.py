"""Define what makes a job come first: weights of the multifactor priority (reference/cranesched.md section 7.2).
Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """Each factor lies in 0 .. 1; the sum of weight x factor orders the queue. Times are seconds."""

    #: "multifactor", or "basic": in the order of submission alone
    kind: str = "multifactor"
    age: int = 500
    fair_share: int = 10000
    size: int = 0
    favor_small: bool = True
    #: an age beyond this counts no more
    max_age_s: float = 14 * 86400.0
    #: use of the machine halves its weight in the fair share after so long
    half_life_s: float = 7 * 86400.0

    @property
    def apart(self) -> float:
        """By so much the priorities of two jobs of one user must differ, to hold whatever their ages and sizes are."""
        return 0.1 if self.kind == "basic" else self.age + self.size + 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """Record of how far nodes are drained towards jobs that find no room, where nobody knows when what runs there
    ends."""

    #: jobs of one partition that nodes are drained for at once; an array counts as one; 0 = none
    jobs: int = 4
    #: nodes of a partition drained at once, of a hundred; one at least. The first job alone may need more.
    share: int = 25
    #: a job is overtaken for so many times as long as draining nodes is expected to take, before they are
    patience: int = 2
    #: nodes are drained, too, for a job whose start is known but further away than these seconds
    beyond_s: float = 600.0
