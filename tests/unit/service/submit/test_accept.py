"""Submissions: what is accepted, what is refused and changes nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import CraneError, Denied, Infeasible, InputError, LimitReached, NotFound
from crane_celery.model.dependency import decode
from crane_celery.model.node import Partition
from crane_celery.service import Service
from crane_celery.service.shared.caller import Caller
from crane_celery.service.submit.gres import gres_of
from crane_celery.service.submit.option_reader import Options
from crane_celery.service.submit.request import JobRequest
from tests.unit.service.support import GIB, Cluster

ALICE = Caller(1234, 1234, 1)


def submit(cluster: Cluster, script: str = "#!/bin/sh\ntrue\n", key: str = "", **options: object) -> int:
    """One job of ALICE's; its id."""
    job = {"options": options, "script": script}
    return cluster.service.submit.accept(ALICE, [job], {"cwd": "/w", "env": {}}, key).ids[0]


def test_an_array_takes_a_block_of_ids(cluster: Cluster) -> None:
    assert [submit(cluster, array="0-9%2"), submit(cluster)] == [1, 11]
    job = cluster.store.job(1)
    assert job is not None
    assert (job.count, job.spec.array, job.spec.throttle) == (10, "0-9", 2)


def test_a_key_seen_before_gives_the_same_id_and_no_second_job(cluster: Cluster) -> None:
    first = submit(cluster, key="k")
    assert submit(cluster, key="k") == first
    assert len(cluster.store.jobs()) == 1


def test_keys_of_different_users_are_different(cluster: Cluster) -> None:
    other = cluster.service.submit.accept(Caller(7, 7, 1), [{"options": {}, "script": "true"}], {}, "k").ids
    assert submit(cluster, key="k") not in other


def test_the_body_holds_what_the_node_needs_and_its_digest_is_in_the_spec(cluster: Cluster) -> None:
    import hashlib

    job = {"options": {"interpreter": "/bin/zsh"}, "script": "s", "argv": ["a"], "env": {"X": "\udce9"}, "umask": 0o77}
    id = cluster.service.submit.accept(ALICE, [job], {}, "").ids[0]
    body, record = cluster.store.body(id), cluster.store.job(id)
    assert body is not None and record is not None
    assert hashlib.sha256(body).hexdigest() == record.spec.body
    shipped = json.loads(body)
    assert (shipped["script"], shipped["argv"], shipped["env"]) == ("s", ["a"], {"X": "\udce9"})
    assert (shipped["umask"], shipped["interpreter"]) == (0o77, "/bin/zsh")


def test_memory_defaults_to_the_share_of_the_cpus(cluster: Cluster) -> None:
    job = cluster.store.job(submit(cluster, cpus_per_task="4"))
    assert job is not None and job.spec.memory == 8 * GIB


def test_the_partition_gives_the_default_time(cluster: Cluster) -> None:
    job = cluster.store.job(submit(cluster, partition="small"))
    assert job is not None and job.spec.time_limit == 60


def test_a_dependency_has_only_so_many_blocks(cluster: Cluster) -> None:
    array = submit(cluster, array="0-9999")
    submit(cluster, dependency=f"afterok:{array}_[0-9999]")
    with pytest.raises(InputError, match="more than 1000"):
        submit(cluster, dependency=f"afterok:{array}_[0-9999:2]")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cpus_per_task": "17"}, Infeasible, "16 CPUs"),
        ({"mem": "33G"}, Infeasible, "32768M"),
        ({"nodes": "5", "ntasks": "5"}, Infeasible, "4"),
        ({"gres": "gpu:h100:1"}, Infeasible, "gpu"),
        ({"partition": "smal"}, NotFound, "did you mean 'small'"),
        ({"partition": "small", "time": "2:00:00"}, Infeasible, "01:00:00"),
        ({"nodelist": "cn9"}, InputError, "no node 'cn9'"),
        ({"nodelist": "cn1", "exclude": "cn[1-2]"}, InputError, "cn1"),
        ({"time": "soon"}, InputError, "--time: bad time span"),
        ({"mem": "1GX"}, InputError, "--mem: bad memory size"),
        ({"mem": "1G", "mem_per_cpu": "1G"}, InputError, "excludes"),
        ({"nodes": "-1"}, InputError, "--nodes: -1"),
        ({"nodes": "two"}, InputError, "not a whole number"),
        ({"cpus_per_task": "0"}, InputError, "--cpus-per-task"),
        ({"cpus_per_task": "nan"}, InputError, "--cpus-per-task"),
        ({"array": "3-1"}, InputError, "--array"),
        ({"array": "1000000"}, InputError, "--array"),
        ({"array": "0-3", "repeat": "2"}, InputError, "excludes"),
        ({"repeat": "0x"}, InputError, "--repeat"),
        ({"open_mode": "both"}, InputError, "truncate, append"),
        ({"output": "%z.out"}, InputError, "--output"),
        ({"output": "~/x"}, InputError, "--output: bad file name '~/x': no ~ is expanded here"),
        ({"error": "$HOME/x"}, InputError, "--error: bad file name '$HOME/x': no variable is expanded here"),
        ({"input": "in/"}, InputError, "--input: bad file name 'in/': it is a directory"),
        ({"chdir": "~/x"}, InputError, "--chdir: '~/x': no ~ is expanded here"),
        ({"output": "%x.out", "job_name": "a" * 252}, InputError, "--output: with the job's name for %x"),
        ({"gpus": "3", "nodes": "2", "ntasks": "2"}, InputError, "--gpus: 3 gpu cannot be spread evenly over the 2"),
        ({"gpus": "3"}, Infeasible, "3 gpu"),
        ({"gpus": "2", "gpus_per_node": "1"}, InputError, "--gpus: is the total over all nodes"),
        ({"dialect": "pbs"}, InputError, "'pbs' is none of lsf, slurm"),
        ({"job_name": "a\nb"}, InputError, "--job-name"),
        ({"job_name": "ü" * 513}, InputError, "1026 bytes"),
        ({"chdir": "a\0b"}, InputError, "NUL"),
        ({"interpreter": 5}, InputError, "option interpreter must be a text"),
        ({"mail_user": ["x"]}, InputError, "option mail_user must be a text"),
        ({"comment": "half \ud800"}, InputError, "half a character"),
        ({"dependency": "afterok:77"}, NotFound, "77"),
        ({"dependency": "afterok:x"}, InputError, "bad job id"),
        ({"dependency": "singleton:1"}, InputError, "singleton takes no job id"),
        ({"tiem": "3"}, InputError, "did you mean 'time'"),
    ],
)
def test_what_is_refused_takes_no_id(
    cluster: Cluster, options: dict[str, Any], error: type[CraneError], text: str
) -> None:
    with pytest.raises(error) as raised:
        submit(cluster, **options)
    assert text in raised.value.message
    assert cluster.store.jobs() == []


@pytest.mark.parametrize(
    ("options", "gres"),
    [
        ({"gpus": "2"}, {"gpu": 2}),
        ({"gpus": "a100:2"}, {"gpu:a100": 2}),
        ({"gpus": "2", "gpus_per_node": "2"}, {"gpu": 2}),
        ({"gpus": "0"}, {}),
        ({"gres": "NONE", "gpus": "1"}, {"gpu": 1}),
    ],
)
def test_gpus_are_a_total(cluster: Cluster, options: dict[str, Any], gres: dict[str, int]) -> None:
    job = cluster.store.job(submit(cluster, **options))
    assert job is not None and job.spec.gres == gres


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_total_of_gpus_is_spread_over_the_nodes(nodes: int) -> None:
    opt = Options(JobRequest({"gpus": "4"}, "true"))
    assert gres_of(opt, nodes) == {"gpu": 4 // nodes}


@pytest.mark.parametrize("option", ["mem", "mem_per_cpu"])
def test_memory_of_0_is_all_of_the_node(cluster: Cluster, option: str) -> None:
    job = cluster.store.job(submit(cluster, **{option: "0"}))
    assert job is not None and (job.spec.memory, job.spec.whole_memory) == (32 << 30, True)


@pytest.mark.parametrize("text", ["", "  "])
@pytest.mark.parametrize("option", ["dependency", "constraint", "licenses", "gres", "nodelist", "exclude"])
def test_an_empty_list_is_none(cluster: Cluster, text: str, option: str) -> None:
    job = cluster.store.job(submit(cluster, **{option: text}))
    assert job is not None and not getattr(job.spec, option) and job.dep == ""


def test_what_was_asked_for_is_recorded_for_the_dialect(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, slurm_env=True)
    job = cluster.store.job(submit(cluster, cpus_per_task=2, mem="0"))
    assert job is not None and (job.spec.dialect, job.spec.asked) == ("slurm", {"cpus_per_task": "2", "mem": "0"})


@pytest.mark.parametrize("script", ["", " \n", "a\0b"])
def test_no_script_to_speak_of(cluster: Cluster, script: str) -> None:
    with pytest.raises(InputError):
        submit(cluster, script=script)


def test_the_line_of_a_directive_is_named(cluster: Cluster) -> None:
    job = {"options": {"time": "x"}, "script": "true", "where": {"time": "a.sh:3 #SBATCH"}}
    with pytest.raises(InputError, match=r"a\.sh:3 #SBATCH: --time"):
        cluster.service.submit.accept(ALICE, [job], {}, "")


def test_large_environments_and_many_arguments(cluster: Cluster) -> None:
    job = {
        "options": {},
        "script": "true",
        "argv": [str(number) for number in range(10_000)],
        "env": {f"V{number}": "x" * 10_000 for number in range(100)},
    }
    assert cluster.service.submit.accept(ALICE, [job], {}, "").ids == [1]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"env": {"V": "x" * (128 << 10)}}, "the limit is 127K"),
        ({"env": {f"V{n}": "x" * 100_000 for n in range(20)}}, "the limit is 1536K"),
        ({"env": {"A=B": "1"}}, "bad environment variable name"),
        ({"env": {"A": "1\0"}}, "NUL"),
        ({"argv": ["a\0"]}, "argument 1 has a NUL"),
        ({"argv": [1]}, "argument 1 must be a text"),
        ({"cwd": "relative"}, "absolute path"),
        ({"script": 5}, "must be of type str"),
        ({"colour": "red"}, "unknown job field"),
    ],
)
def test_what_could_not_be_executed(cluster: Cluster, part: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        cluster.service.submit.accept(ALICE, [{"options": {}, "script": "true", **part}], {}, "")


def test_roots_jobs_need_permission(tmp_path: Any) -> None:
    strict = Cluster(tmp_path, allow_root=False)
    with pytest.raises(Denied, match="AllowRoot"):
        strict.service.submit.accept(Caller(0, 0, 1), [{"options": {}, "script": "true"}], {}, "")


def test_one_wrong_job_of_many_and_none_is_taken(cluster: Cluster) -> None:
    jobs = [{"options": {}, "script": "true"}, {"options": {"time": "x"}, "script": "true"}]
    with pytest.raises(InputError):
        cluster.service.submit.accept(ALICE, jobs, {}, "")
    assert cluster.store.jobs() == []


def test_options_without_effect_give_one_notice(cluster: Cluster) -> None:
    job = {"options": {"account": "a", "comment": "c"}, "script": "true"}
    notices = cluster.service.submit.accept(ALICE, [job, job], {}, "").notices
    assert len(notices) == 1 and "--account, --comment" in notices[0]


@pytest.mark.parametrize("text", ["000000001999999999999", "10001", "0", "-1", "1e3", "\u0661", "9" * 5000, ["1"]])
def test_a_job_is_repeated_a_bounded_number_of_times(cluster: Cluster, text: object) -> None:
    with pytest.raises(InputError, match="--repeat"):
        submit(cluster, repeat=text)


def test_jobs_of_a_request_are_counted_before_they_are_made(cluster: Cluster) -> None:
    jobs = [{"options": {"repeat": "10000"}, "script": "x"}] * 10 + [{"options": {}, "script": "x"}]
    with pytest.raises(LimitReached, match="at most 100000 jobs, this one at least 100001"):
        cluster.service.submit.accept(ALICE, jobs, {"cwd": "/w", "env": {}}, "")
    assert cluster.store.jobs() == []


def test_repeat(cluster: Cluster) -> None:
    job = {"options": {"repeat": "3"}, "script": "true"}
    assert cluster.service.submit.accept(ALICE, [job], {}, "").ids == [1, 2, 3]


class TestDependencies:
    """Ids become blocks; the same job twice is found behind any name."""

    @pytest.fixture
    def array(self, cluster: Cluster) -> int:
        """Elements 2,4,6,8 on ids 1 to 4."""
        return submit(cluster, array="2-8:2")

    def blocks(self, cluster: Cluster, text: str) -> list[tuple[int, int, int]]:
        """(job, first, count) of all blocks of the dependency of a new job."""
        job = cluster.store.job(submit(cluster, dependency=text))
        assert job is not None
        return [(each.job, each.first, each.count) for group in decode(job.dep).groups for each in group]

    @pytest.mark.parametrize(
        ("text", "blocks"),
        [
            ("afterok:1", [(1, 1, 4)]),
            ("afterok:1_4", [(1, 2, 1)]),
            ("afterok:1_[2-6:2]", [(1, 1, 3)]),
            ("afterok:1_[2,6]", [(1, 1, 1), (1, 3, 1)]),
            ("afterany:3", [(1, 3, 1)]),
            ("after:1_2?afternotok:1_4", [(1, 1, 1), (1, 2, 1)]),
        ],
    )
    def test_resolved(self, cluster: Cluster, array: int, text: str, blocks: list[tuple[int, int, int]]) -> None:
        assert array == 1
        assert self.blocks(cluster, text) == blocks

    @pytest.mark.usefixtures("array")
    @pytest.mark.parametrize("text", ["afterok:1:2", "afterok:1_4,afterany:2", "after:1?after:1_2"])
    def test_the_same_job_under_two_names(self, cluster: Cluster, text: str) -> None:
        with pytest.raises(InputError, match="duplicate job"):
            self.blocks(cluster, text)

    @pytest.mark.usefixtures("array")
    @pytest.mark.parametrize("text", ["afterok:1_3", "afterok:1_[2-3]", "afterok:2_4", "afterok:9"])
    def test_nothing_there(self, cluster: Cluster, text: str) -> None:
        with pytest.raises(NotFound):
            self.blocks(cluster, text)

    def test_service_is_the_past_of_resolving(self, cluster: Cluster) -> None:
        assert Service(cluster.store, cluster.settings).past.array_of(5) == ""


def test_policies_come_from_the_configuration(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, job_requeue=False, max_requeue=2, kill_invalid_depend=False)
    specs = [cluster.store.job(submit(cluster, **options)) for options in ({}, {"requeue": True})]
    found = [(job.spec.requeue, job.spec.max_requeue, job.spec.kill_on_invalid_dep) for job in specs if job]
    assert found == [("never", 2, "no"), ("failure", 2, "no")]


def test_times_are_read_in_the_zone_of_the_caller(cluster: Cluster) -> None:
    job = {"options": {"begin": "2999-01-01T12:00", "deadline": "2999-01-01T14:00"}, "script": "true", "tz": "+0200"}
    record = cluster.store.job(cluster.service.submit.accept(ALICE, [job], {}, "").ids[0])
    assert record is not None
    begin = datetime(2999, 1, 1, 10, tzinfo=UTC).timestamp()
    assert (record.spec.begin, record.spec.deadline) == (begin, begin + 7200)


@pytest.mark.parametrize(
    "options",
    [
        {"deadline": "now-1"},
        {"deadline": "now"},
        {"deadline": "now+0", "time": "unlimited"},
        {"begin": "now+1h", "deadline": "now+1h"},
        {"deadline": "now+1h", "time": "2h"},
        {"begin": "now+1h", "deadline": "now+30m"},
        {"begin": "now+1h", "deadline": "now+90m", "time": "1h"},
    ],
)
def test_a_deadline_that_cannot_be_met(cluster: Cluster, options: dict[str, Any]) -> None:
    with pytest.raises(Infeasible, match=r"deadline .* is too early .* move it to"):
        submit(cluster, **options)


LIMITED = Partition(
    name="lim",
    nodes=("cn1", "cn2"),
    max_time=600,
    default_memory_per_node=3 * GIB,
    max_memory_per_cpu=2 * GIB,
    max_memory_per_node=4 * GIB,
    max_array_count=10,
    max_submit_jobs=12,
)


def limited(home: Path) -> Cluster:
    """A cluster with one partition of many limits."""
    return Cluster(home, partitions={"lim": LIMITED}, default_partition="lim", licenses={"matlab": 2, "ansys": 1})


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"time": "20"}, Infeasible, "maximum 00:10:00 (MaxTime): ask for --time 00:10:00 or less"),
        ({"time": "unlimited"}, Infeasible, "(MaxTime)"),
        ({"mem": "5G", "cpus_per_task": "8"}, Infeasible, "maximum 4096M (MaxMemPerNode)"),
        ({"mem": "3G"}, Infeasible, "maximum 2048M for each (MaxMemPerCpu): ask for less, or for 2 CPUs"),
        ({"mem_per_cpu": "3G"}, Infeasible, "(MaxMemPerCpu)"),
        ({"array": "0-10"}, LimitReached, "11 elements; partition lim takes 10 in one array (MaxArrayCount)"),
        ({"array": "0-9", "nodes": "1", "licenses": "matlap:1"}, NotFound, "did you mean 'matlab'"),
        ({"licenses": "matlab:3"}, Infeasible, "3 matlab were asked for; the cluster has 2"),
        ({"licenses": "matlab:3|ansys:2"}, Infeasible, "2 ansys"),
        ({"constraint": "ssd"}, Infeasible, "0 nodes of partition lim have these features"),
        ({"constraint": "(ssd"}, InputError, "a bracket is left open"),
        ({"array_max_fails": "3"}, InputError, "is for arrays"),
    ],
)
def test_limits(tmp_path: Path, options: dict[str, Any], error: type[CraneError], text: str) -> None:
    cluster = limited(tmp_path)
    with pytest.raises(error) as raised:
        submit(cluster, **options)
    assert text in raised.value.message
    assert cluster.store.jobs() == []


def test_defaults_stay_within_the_limits(tmp_path: Path) -> None:
    cluster = limited(tmp_path)
    jobs = [
        cluster.store.job(submit(cluster, **each))
        for each in ({}, {"cpus_per_task": "4"}, {"licenses": "ansys:9|matlab:1"})
    ]
    assert [job and job.spec.memory for job in jobs] == [2 * GIB, 3 * GIB, 2 * GIB]


def test_a_user_has_only_so_many_jobs(tmp_path: Path) -> None:
    cluster = limited(tmp_path)
    assert submit(cluster, array="0-9") == 1
    for _ in range(11):
        submit(cluster)
    with pytest.raises(LimitReached, match="MaxSubmitJobs"):
        submit(cluster)


def test_a_request_that_is_refused_in_part_says_what_was_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crane_celery.service.submit.accept.CHUNK", 5)
    cluster = limited(tmp_path)
    with pytest.raises(LimitReached, match=r"10 of 14 jobs were accepted \(jobs 1 to 10\), the others were not"):
        cluster.service.submit.accept(ALICE, [{"options": {}, "script": "x"}] * 14, {}, "")
    assert [job.id for job in cluster.store.jobs()] == list(range(1, 11))


@pytest.mark.parametrize(
    ("length", "array", "said"),
    [
        (41, "", "the list has 41 values; an array takes 40 here: submit several arrays, each with other indexes"),
        (45, "%2", "the list has 45 values"),
        (61, "", "the list has 61 values; an array takes 40 here: submit its parts"),
        (45, "0-40", "at most 40 elements"),
        (45, "3,44", ""),
        (70, "0-30:2%3", ""),
    ],
)
def test_a_list_longer_than_an_array_is_taken_in_parts(tmp_path: Path, length: int, array: str, said: str) -> None:
    cluster = Cluster(tmp_path, max_array_count=40, max_array_size=60)
    job = {"options": {"array": array} if array else {}, "script": "true", "items": [str(at) for at in range(length)]}
    if said:
        with pytest.raises(CraneError) as refused:
            cluster.service.submit.accept(ALICE, [job], {"cwd": "/w", "env": {}}, "")
        assert said in refused.value.message and cluster.store.jobs() == []
    else:
        assert cluster.service.submit.accept(ALICE, [job], {"cwd": "/w", "env": {}}, "").ids == [1]


def test_a_value_that_is_too_long_is_called_so(cluster: Cluster) -> None:
    with pytest.raises(InputError, match="--array: 1048577 characters are too many: 1048576 at most"):
        submit(cluster, array="1" * ((1 << 20) + 1))
    with pytest.raises(InputError, match="--array: must be a text without NUL"):
        submit(cluster, array="1\0")
