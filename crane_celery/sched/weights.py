"""What makes a job come first: weights of the multifactor priority (reference/cranesched.md section 7.2). Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """Each factor lies in 0 .. 1; the sum of weight x factor orders the queue. Times are seconds."""

    #: "multifactor", or "basic": in the order of submission alone
    kind: str = "multifactor"
    age: int = 500
    fair_share: int = 10000
    size: int = 0
    partition: int = 1000
    qos: int = 1000000
    favor_small: bool = True
    #: an age beyond this counts no more
    max_age_s: float = 14 * 86400.0
    #: use of the machine halves its weight in the fair share after so long
    half_life_s: float = 7 * 86400.0

    @property
    def apart(self) -> float:
        """By so much the priorities of two jobs of one user must differ, to hold whatever their ages and sizes are."""
        return 0.1 if self.kind == "basic" else self.age + self.size + 1.0
