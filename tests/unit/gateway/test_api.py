"""The Python API against a gateway."""

from pathlib import Path

from crane_celery.api import Cluster as Api
from crane_celery.api import Task
from crane_celery.model.body import split
from tests.unit.service.support import Cluster, serving


def test_options_items_and_control(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    with serving(cluster, tmp_path / "s") as socket:
        api = Api(socket)
        first = api.submit(command="true", requeue=False, begin="2999-01-01", hold=True)
        array = api.submit(command="true", items=["a", "b", "c"], array="%2")
        assert api.release(first)["failed"] == []
        assert len(api.submit_many(Task(command=f"echo {n}") for n in range(5))) == 5
        cluster.run(array, 0)
        cluster.run(array, 1, 1)
        cluster.run(array, 2)
        again = api.retry(array)
    jobs = [cluster.store.job(id) for id in (first, array, again)]
    assert [job and (job.spec.requeue, job.spec.array, job.spec.throttle) for job in jobs] == [
        ("never", "", 0),
        ("node", "0-2", 2),
        ("node", "1", 2),
    ]
    assert jobs[0] is not None and jobs[0].spec.begin > 3e10 and not jobs[0].held
    assert split(cluster.store.body(again) or b"")[1].endswith(b"b")
