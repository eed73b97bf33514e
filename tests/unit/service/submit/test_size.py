"""Test what requests in the words of other systems ask of each node."""

import json
from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import CraneError, Denied, Infeasible, InputError, NotFound
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import JobSpec
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import GIB, Cluster


def spec(cluster: Cluster, **options: object) -> JobSpec:
    job = cluster.store.job(submit(cluster, **options))
    assert job is not None
    return job.spec


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"ntasks": "16"}, "nodes", 1),
        ({"ntasks": "17"}, "nodes", 2),
        ({"ntasks": "64"}, "nodes", 4),
        ({"ntasks": "4", "cpus_per_task": "12"}, "nodes", 4),
        ({"ntasks": "3", "cpus_per_task": "8"}, "nodes", 2),
        ({"ntasks": "20", "nodelist": "cn[1-3]"}, "nodes", 2),
        ({"ntasks": "8", "mem_per_cpu": "8G"}, "nodes", 2),
        ({"ntasks": "2", "gpus_per_task": "1"}, "gres", {"gpu": 2}),
        ({"ntasks": "1", "gpus_per_task": "a100:2"}, "gres", {"gpu:a100": 2}),
        ({"gpus": "2", "ntasks_per_gpu": "3"}, "ntasks", 6),
        ({"gpus_per_node": "1", "ntasks_per_gpu": "2"}, "ntasks", 2),
        ({"gpus": "2", "ntasks_per_gpu": "3", "ntasks": "4"}, "ntasks", 4),
        ({"gpus": "2", "cpus_per_gpu": "4"}, "cpus_per_task", 8.0),
        ({"gpus": "2", "cpus_per_gpu": "4", "ntasks": "2"}, "cpus_per_task", 4.0),
        ({"gpus": "2", "mem_per_gpu": "3G"}, "memory", 6 * GIB),
        ({"gres": "gpu:a100:1", "mem_per_gpu": "3GB"}, "memory", 3 * GIB),
        ({"exclusive": "user"}, "exclusive", True),
        ({"exclusive": "no"}, "exclusive", False),
        ({"nice": True}, "priority", -100),
        ({"nice": "7"}, "priority", -7),
        ({"nice": "2000"}, "priority", -999),
        ({"clusters": "far,test"}, "nodes", 1),
        ({"hint": "nomultithread", "contiguous": True}, "extra", '{"hint":"nomultithread","contiguous":"yes"}'),
    ],
)
def test_what_is_meant(cluster: Cluster, options: dict[str, Any], field: str, value: object) -> None:
    assert getattr(spec(cluster, **options), field) == value


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"ntasks": "65"}, Infeasible, "65 CPUs"),
        ({"ntasks_per_gpu": "2"}, InputError, "--ntasks-per-gpu: the job has no GPUs"),
        ({"cpus_per_gpu": "2"}, InputError, "--cpus-per-gpu: the job has no GPUs"),
        ({"mem_per_gpu": "2G"}, InputError, "--mem-per-gpu: the job has no GPUs"),
        ({"mem_per_gpu": "2G", "mem": "1G", "gpus": "1"}, InputError, "--mem: excludes --mem-per-gpu"),
        ({"cpus_per_gpu": "2", "cpus_per_task": 1, "gpus": "1"}, InputError, "excludes --cpus-per-gpu"),
        ({"gpus_per_task": "1", "gres": "gpu:1"}, InputError, "names what --gres names already"),
        ({"exclusive": "topo"}, InputError, "'topo' is neither yes nor no"),
        ({"nice": "soon"}, InputError, "--nice: 'soon' is not a whole number"),
        ({"nice": "-5"}, Denied, "only operators"),
        ({"clusters": "far"}, InputError, "this is cluster test"),
    ],
)
def test_what_cannot_be_meant(cluster: Cluster, options: dict[str, Any], error: type[CraneError], text: str) -> None:
    with pytest.raises(error) as raised:
        submit(cluster, **options)
    assert text in raised.value.message


def test_one_notice_names_all_that_does_nothing(cluster: Cluster) -> None:
    job = {"options": {"hint": "x", "overcommit": True, "nice": "3"}, "script": "true"}
    notices = cluster.service.submit.accept(ALICE, [job], {}, "").notices
    assert notices == ["--hint, --overcommit: recorded, without effect on this cluster"]


def test_a_nicer_job_stands_behind_its_equals(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    jobs = [cluster.store.job(submit(cluster, nice=nice)) for nice in (None, "5")]
    assert [job and job.priority for job in jobs] == [1000.0, 995.0]


@pytest.mark.parametrize(
    ("options", "first", "choices"),
    [
        ({"nodes": "1-3"}, {"nodes": 3, "ntasks": 3}, [{"nodes": n, "ntasks": n} for n in (3, 2, 1)]),
        ({"nodes": "2-2"}, {"nodes": 2}, []),
        ({"nodes": "2-90"}, {"nodes": 4}, [{"nodes": n, "ntasks": n} for n in (4, 3, 2)]),
        ({"nodes": "1-4", "ntasks": "2", "mem": "1G"}, {"nodes": 2, "ntasks": 2}, [{"nodes": 2}, {"nodes": 1}]),
        (
            {"partition": "main,small"},
            {"partition": "main", "time_limit": None},
            [{"partition": "main", "time_limit": None}, {"partition": "small", "time_limit": 60}],
        ),
        ({"partition": "small,main", "time": "2:00:00"}, {"partition": "main"}, []),
        ({"partition": "small, small"}, {"partition": "small"}, []),
        ({"time": "60", "time_min": "10"}, {"time_limit": 3600, "time_min": 600}, [{"time_limit": 3600}]),
        ({"time": "60", "time_min": "60"}, {"time_limit": 3600, "time_min": 0}, []),
    ],
)
def test_shapes_that_it_may_start_in(
    cluster: Cluster, options: dict[str, Any], first: dict[str, object], choices: list[dict[str, object]]
) -> None:
    found = spec(cluster, **options)
    assert {name: getattr(found, name) for name in first} == first
    shapes = json.loads(found.choices or "[]")
    assert [{name: shape[name] for name in shape if name != "memory"} for shape in shapes] == choices


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"nodes": "0-2"}, InputError, "--nodes: 0-2 is no range"),
        ({"nodes": "3-2"}, InputError, "--nodes: 3-2 is no range"),
        ({"nodes": "6-9"}, Infeasible, "6 nodes were asked for"),
        ({"nodes": "1-"}, InputError, "--nodes: '1-' is not a whole number"),
        ({"partition": "main,smal"}, NotFound, "did you mean 'small'"),
        ({"partition": "small,small", "time": "2:00:00"}, Infeasible, "01:00:00"),
        ({"tmp": "1G"}, Infeasible, "1024M of temporary disk on one node were asked for"),
        ({"tmp": "x"}, InputError, "--tmp: bad memory size"),
        ({"time_min": "10"}, InputError, "--time-min: is for jobs with a time limit"),
        ({"time_min": "10", "time": "5"}, InputError, "--time-min: is for jobs with a time limit"),
    ],
)
def test_shapes_that_cannot_be(cluster: Cluster, options: dict[str, Any], error: type[CraneError], text: str) -> None:
    with pytest.raises(error) as raised:
        submit(cluster, **options)
    assert text in raised.value.message


def test_what_somebody_has_said_since_is_no_longer_a_choice(cluster: Cluster) -> None:
    job = submit(cluster, partition="main,small")
    cluster.service.control.update(ALICE, parse_selectors(str(job)), {"numnodes": "2"}, "")
    record = cluster.store.job(job)
    assert record is not None
    assert json.loads(record.changes) == [["0", {"choices": "", "nodes": 2, "ntasks": 2}]]
