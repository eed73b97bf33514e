"""A store with a small cluster on it: what the daemons would do to it, done by hand."""

from crane_celery.model.job import Allocation, JobSpec, StepRow
from crane_celery.model.node import NodeSpec
from crane_celery.store.api import Began, Ended, Report, Start, Submission
from crane_celery.store.redis import RedisStore


class Site:
    """Two nodes, n1 and n2, and a leader."""

    def __init__(self, store: RedisStore) -> None:
        """Register the nodes and lead."""
        self.store = store
        self.fence = store.lead("test", 3600.0)
        self.epochs = {
            name: store.register(NodeSpec(name=name, cpus=64, memory=1 << 30), "host", "none", "1", "boot").epoch
            for name in ("n1", "n2")
        }
        for name, epoch in self.epochs.items():
            store.heartbeat(name, epoch, 60.0)

    def submit(self, count: int = 1, name: str = "job", uid: int = 1000, user: str = "ada") -> int:
        """Submit a job or an array; its id."""
        array = f"0-{count - 1}" if count > 1 else ""
        spec = JobSpec(name=name, uid=uid, gid=uid, user=user, array=array, partition="CPU", memory=64, command="x.sh")
        return self.store.submit([Submission(spec, count, b"body")], [""])[0]

    def start(self, job: int, *ranks: int, run: int = 1, node: str = "n1") -> None:
        """Start these ranks."""
        held = (Allocation(node=node, cpus=1.0, memory=64),)
        said = self.store.start(self.fence, [Start(job, rank, run, held) for rank in ranks])
        assert said == [""] * len(ranks)

    def begin(self, *ids: int, run: int = 1, node: str = "n1") -> None:
        """Tell that these ids run."""
        now = self.store.now()
        self.store.report(node, self.epochs[node], Report(began=[Began(id, run, now) for id in ids]))

    def end(self, *ids: int, run: int = 1, node: str = "n1", code: int = 0) -> None:
        """Tell that these ids ended."""
        now = self.store.now()
        state = "Failed" if code else "Completed"
        ended = [Ended(id, run, state, code, now - 2.0, now, "", 0.5, 4096) for id in ids]
        self.store.report(node, self.epochs[node], Report(ended=ended))

    def ran(self, count: int = 1, name: str = "job", uid: int = 1000, user: str = "ada") -> int:
        """A submission of which all ran and ended; its id."""
        job = self.submit(count, name, uid, user)
        self.start(job, *range(count))
        self.end(*range(job, job + count))
        return job

    def step(self, row: StepRow) -> None:
        """Tell of a COMMON step."""
        self.store.report(row.node, self.epochs[row.node], Report(steps=[row]))
