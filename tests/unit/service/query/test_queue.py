"""Test what the queue lists, why things wait, and who may act on what."""

from dataclasses import replace
from pathlib import Path

import pytest

from crane_celery.errors import InputError, NotFound, Refused
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.states import ENDED, State
from crane_celery.service.control.cancel import matching
from crane_celery.service.control.requeue import How
from crane_celery.service.query.filters import Filters, parse_states
from crane_celery.service.query.job_rows import PENDING, live_row, pending_lines
from crane_celery.service.query.listing import Wanted
from crane_celery.service.query.queue import begins
from crane_celery.service.shared.caller import Caller
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster

BOB = Caller(4321, 4321, 1)
ROOT = Caller(0, 0, 1)


def shown(cluster: Cluster, ids: str = "", **filters: object) -> list[tuple[str, str, str]]:
    """(id, state, reason) of each row."""
    given = Filters()._replace(**filters)
    want = Wanted(parse_selectors(ids) if ids else (), given, past=bool(given.states & ENDED))
    rows = cluster.service.query.jobs(want).rows
    return [(row["jobid"], row["state"], row["reason"]) for row in rows]


def test_pending_elements_share_a_line_and_started_ones_have_their_own(cluster: Cluster) -> None:
    array = submit(cluster, array="0-4,7%2")
    cluster.begin(array, 1)
    assert shown(cluster) == [(f"{array}_[0,2-4,7%2]", "Pending", "Resource"), (f"{array}_1", "Running", "")]


def test_held_ones_are_a_line_apart(cluster: Cluster) -> None:
    array = submit(cluster, array="1-10", hold=True)
    assert shown(cluster) == [(f"{array}_[1-10]", "Pending", "Held")]
    cluster.service.control.hold(ALICE, parse_selectors(f"{array}_5"), False)
    assert shown(cluster) == [
        (f"{array}_[1-4,6-10]", "Pending", "Held"),
        (f"{array}_5", "Pending", "Resource"),
    ]


def test_an_element_is_found_by_index_and_by_plain_id(cluster: Cluster) -> None:
    array = submit(cluster, array="1-10")
    plain = cluster.begin(array, 4)
    assert shown(cluster, f"{array}_5") == shown(cluster, str(plain)) == [(f"{array}_5", "Running", "")]


def test_reasons(cluster: Cluster) -> None:
    first, second = submit(cluster), submit(cluster)
    waiting = submit(cluster, dependency=f"afterok:{first}")
    cluster.judge()
    assert shown(cluster) == [
        (str(first), "Pending", "Resource"),
        (str(second), "Pending", "Resource"),
        (str(waiting), "Pending", "Dependency"),
    ]
    cluster.run(first, code=3)
    cluster.judge()
    assert (str(waiting), "Pending", "DependencyNeverSatisfied") in shown(cluster)


def test_the_first_element_waits_for_its_own_where_it_alone_is_left(cluster: Cluster) -> None:
    first = submit(cluster, array="1-2")
    other = submit(cluster, array="1-2", dependency=f"aftercorr:{first}")
    cluster.run(first, 1)
    cluster.begin(other, 1)
    waits = (f"{other}_1", "Pending", "Dependency")
    assert waits in shown(cluster) and waits in shown(cluster, str(other))
    cluster.run(first, 0, code=1)
    cluster.judge()
    assert (f"{other}_1", "Pending", "DependencyNeverSatisfied") in shown(cluster)


def test_the_limit_of_an_array(cluster: Cluster) -> None:
    array = submit(cluster, array="0-9%1")
    cluster.begin(array)
    assert shown(cluster)[0] == (f"{array}_[1-9%1]", "Pending", "ArrayTaskLimit")


def test_ended_elements_are_listed_where_their_state_is_asked_for(cluster: Cluster) -> None:
    array = submit(cluster, array="0-1")
    cluster.run(array)
    assert shown(cluster, str(array), states=parse_states(("completed",))) == [(f"{array}_0", "Completed", "")]


def test_an_element_that_is_pending_again_has_one_line(cluster: Cluster) -> None:
    array = submit(cluster, array="1-2")
    for rank in (0, 1):
        cluster.end(cluster.begin(array, rank), 3)
    assert cluster.service.control.requeue(ALICE, parse_selectors(f"{array}_2"), How(hold=True)).done == [f"{array}_2"]
    lines = [(f"{array}_2", "Pending", "Held"), (f"{array}_1", "Failed", "")]
    assert shown(cluster, str(array), states=frozenset(State)) == lines
    records = cluster.service.query.show("job", (), parse_selectors(str(array)))
    assert [(each["jobid"], each["state"]) for each in records] == [(f"{array}_1", "Failed"), (f"{array}_2", "Pending")]
    (told,) = cluster.service.query.explain(parse_selectors(str(array)), "UTC")
    assert told["lines"][-1] == "Failed: 1 of its elements"


def test_filters(cluster: Cluster) -> None:
    submit(cluster, job_name="a")
    other = submit(cluster, job_name="b", partition="small")
    assert shown(cluster, names=("b",)) == shown(cluster, partitions=("small",))
    cluster.begin(other, node="cn4")
    assert (
        shown(cluster, nodes=("cn4",)) == shown(cluster, states=parse_states(("r",))) == [(str(other), "Running", "")]
    )
    assert shown(cluster, uids=(BOB.uid,)) == []
    with pytest.raises(InputError, match="did you mean 'pending'"):
        parse_states(("pendin",))


def test_a_state_is_asked_for_as_it_is_shown() -> None:
    from cli.output import accounting_columns

    for state in State:
        assert state in parse_states((state.value,)) & parse_states((state.value.upper(),))
    for name, column in accounting_columns.summary_columns().items():
        assert name == "total" or parse_states((column.header,)), name


def test_slurms_names_of_states() -> None:
    assert parse_states(("OUT_OF_MEMORY", "time-limit-exceeded")) == {State.OOM, State.TIMEOUT}
    assert parse_states(("CD", "CA", "canceled")) == {State.COMPLETED, State.CANCELLED}


class TestCancel:
    """By id, range, plain id and property; strangers are refused; what hangs on it is counted."""

    def cancel(self, cluster: Cluster, ids: str, caller: Caller = ALICE, **filters: object) -> tuple[object, ...]:
        selectors = parse_selectors(ids) if ids else ()
        return tuple(cluster.service.control.cancel(caller, selectors, Filters()._replace(**filters)))

    def test_a_range_of_an_array(self, cluster: Cluster) -> None:
        array = submit(cluster, array="0-9")
        assert self.cancel(cluster, f"{array}_[1-3]") == ([f"{array}_[1-3]"], [], 0)
        assert shown(cluster) == [(f"{array}_[0,4-9]", "Pending", "Resource")]

    def test_a_plain_id_is_one_element_and_the_arrays_id_is_all_of_it(self, cluster: Cluster) -> None:
        array = submit(cluster, array="0-2")
        self.cancel(cluster, str(array + 1))
        assert shown(cluster)[0][0] == f"{array}_[0,2]"
        self.cancel(cluster, str(array))
        assert shown(cluster) == []

    def test_running_ones_are_told_to_stop(self, cluster: Cluster) -> None:
        job = submit(cluster)
        cluster.begin(job)
        assert self.cancel(cluster, str(job))[0] == [str(job)]
        assert cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 1.0).kills == [(job, 1, 0)]

    def test_what_is_not_there_does_not_keep_the_rest(self, cluster: Cluster) -> None:
        job = submit(cluster)
        assert self.cancel(cluster, f"99,{job}") == ([str(job)], [("99", "Job not found")], 0)

    def test_twice(self, cluster: Cluster) -> None:
        job = submit(cluster)
        self.cancel(cluster, str(job))
        done, failed, _ = self.cancel(cluster, str(job))
        assert done == [] and "already ended" in str(failed)

    def test_somebody_elses(self, cluster: Cluster) -> None:
        job = submit(cluster)
        assert self.cancel(cluster, str(job), BOB) == ([], [(str(job), "Permission Denied")], 0)
        assert self.cancel(cluster, "", BOB, names=("job",)) == ([], [], 0)
        assert self.cancel(cluster, str(job), ROOT)[0] == [str(job)]

    def test_by_state_only_that_part_of_an_array(self, cluster: Cluster) -> None:
        array = submit(cluster, array="0-3")
        cluster.begin(array, 0)
        self.cancel(cluster, "", states=parse_states(("pending",)))
        assert shown(cluster) == [(f"{array}_0", "Running", "")]

    def test_no_condition_at_all(self, cluster: Cluster) -> None:
        with pytest.raises(InputError, match="at least one condition"):
            self.cancel(cluster, "")

    def test_jobs_that_can_now_never_start_are_counted(self, cluster: Cluster) -> None:
        job = submit(cluster)
        submit(cluster, dependency=f"afterok:{job}")
        submit(cluster, dependency=f"afterany:{job}")
        assert self.cancel(cluster, str(job))[2] == 1

    def test_a_step_of_a_job_that_does_not_run_is_not_cancelled_as_its_job(self, cluster: Cluster) -> None:
        job = submit(cluster)
        _, failed, _ = self.cancel(cluster, f"{job}.2")
        assert failed == [(f"{job}.2", "Job is not running")]


class TestShow:
    """Full records."""

    def test_an_array_is_one_record_for_what_waits_and_one_for_each_started(self, cluster: Cluster) -> None:
        array = submit(cluster, array="0-3")
        cluster.run(array, 1)
        records = cluster.service.query.show("job", (), parse_selectors(str(array)))
        assert [(row["jobid"], row["state"]) for row in records] == [
            (f"{array}_[0,2-3]", "Pending"),
            (f"{array}_1", "Completed"),
        ]

    def test_a_cancelled_element_is_gone_and_a_cancelled_array_is_shown_as_such(self, cluster: Cluster) -> None:
        array = submit(cluster, array="0-7")
        cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_7"), Filters())
        with pytest.raises(NotFound, match=f"Job {array}_7 is not running"):
            cluster.service.query.show("job", (), parse_selectors(f"{array}_7"))
        cluster.service.control.cancel(ALICE, parse_selectors(str(array)), Filters())
        (record,) = cluster.service.query.show("job", (), parse_selectors(str(array)))
        assert record["state"] == "Cancelled"

    @pytest.mark.parametrize("what", ["job", "step"])
    def test_elements_that_an_array_has_not(self, cluster: Cluster, what: str) -> None:
        array, plain = submit(cluster, array="0-8:2"), submit(cluster)
        step = ".1" if what == "step" else ""
        for part in ("3", "[2-4]"):
            with pytest.raises(NotFound, match="its indexes are 0-8:2"):
                cluster.service.query.show(what, (), parse_selectors(f"{array}_{part}{step}"))
        with pytest.raises(NotFound, match=f"job {plain} is no array"):
            cluster.service.query.show(what, (), parse_selectors(f"{plain}_1{step}"))

    def test_dependencies_as_they_come_true(self, cluster: Cluster) -> None:
        first, second = submit(cluster), submit(cluster)
        waiting = submit(cluster, dependency=f"afterok:{first}+1h,afterok:{second}")

        def dependency() -> tuple[str, str, str]:
            cluster.judge()
            (record,) = cluster.service.query.show("job", (), parse_selectors(str(waiting)))
            shown = record["dependency"]
            return shown["pending"], shown["status"], shown["detail"]

        one, two = f"afterok:{first}+01:00:00", f"afterok:{second}"
        assert dependency() == (f"{one},{two}", "WaitForAll", f"{one}(unfulfilled),{two}(unfulfilled)")
        cluster.run(first)
        assert dependency() == (two, "WaitForAll", f"{one}(fulfilled),{two}(unfulfilled)")
        cluster.run(second, code=1)
        assert dependency() == ("", "SomeFailed", f"{one}(fulfilled),{two}(failed)")

    def test_nodes(self, cluster: Cluster) -> None:
        job = submit(cluster)
        cluster.begin(job)
        one, two = cluster.service.query.show("node", ["cn[1-2]"], ())
        assert (one["state"], one["alloc_cpus"], one["jobs"], two["state"]) == ("mix", 1.0, [job], "idle")
        with pytest.raises(NotFound, match="cn9"):
            cluster.service.query.show("node", ["cn9"], ())

    def test_passwords_are_not_shown(self, tmp_path: Path) -> None:
        other = Cluster(tmp_path, server_url="redis://:secret@host/0", history_url="postgresql://u:p@h/d")
        (record,) = other.service.query.show("config", (), ())
        assert "secret" not in str(record) and "u:***@h" in record["history_url"]


def test_by_columns_it_is_the_same_queue(cluster: Cluster) -> None:
    array = submit(cluster, array="0-4,7%2")
    submit(cluster, hold=True)
    cluster.begin(array, 1)
    keys = sorted(PENDING.keys() - {"elapsed"})
    rows = cluster.service.query.jobs(Wanted()).rows
    answer = cluster.service.query.table(Wanted(), keys)
    columns = {key: answer["each"].get(key) or [answer["same"].get(key)] * answer["count"] for key in keys}
    assert [[columns[key][at] for key in keys] for at in range(3)] == [
        [row.get(key, "1") for key in keys] for row in rows
    ]
    assert cluster.service.query.table(Wanted(limit=2), ["jobid"])["count"] == 2


def test_cancelling_by_condition_takes_all_that_wait_together(cluster: Cluster) -> None:
    array, plain, other = submit(cluster, array="0-9"), submit(cluster), submit(cluster, job_name="other")
    waiting = submit(cluster, dependency=f"afterok:{plain}")
    cluster.judge()
    ran = cluster.begin(array, 3)
    outcome = cluster.service.control.cancel(ALICE, (), Filters(states=parse_states(("pending",)), names=("other",)))
    assert (outcome.done, outcome.failed, outcome.never) == ([str(other)], [], 0)
    outcome = cluster.service.control.cancel(ALICE, (), Filters(states=parse_states(("pending",))))
    assert outcome.done == [f"{array}_[0-2,4-9]", str(plain), str(waiting)]
    assert [element.id for element in cluster.store.elements() if not element.cancelled] == [ran]
    assert shown(cluster) == [(f"{array}_3", "Running", "")]


def test_what_was_changed_is_listed_with_what_is_in_force(cluster: Cluster) -> None:
    array = submit(cluster, array="0-5")
    ran = cluster.begin(array, 1)
    (job,) = cluster.store.jobs([array])
    job = replace(job, held="2-3", changes='[["0-2",{"time_limit":60,"priority":7}],["5",{"partition":"small"}]]')
    lines = pending_lines(job, cluster.service.query.queue.alive().around)
    assert [(line.indexes, str(line.why.reason), line.spec.time_limit, line.priority) for line in lines] == [
        ("2", "Held", 60, 7.0),
        ("3", "Held", None, job.priority),
        ("0", "", 60, 7.0),  # the plan knows nothing of these changes: another class may find room
        ("5", "", None, job.priority),
        ("4", "Resource", None, job.priority),
    ]
    (element,) = cluster.store.elements([ran])
    assert live_row(job, element, cluster.store.now())["time_limit"] == 60
    assert [line.indexes for line in lines if Filters(partitions=("small",)).spec(line.spec)] == ["5"]


def test_what_may_begin_later_says_so(cluster: Cluster) -> None:
    job = submit(cluster)
    (record,) = cluster.store.jobs([job])
    around = cluster.service.query.queue.alive().around
    later = replace(record, changes='[["0",{"begin":9e9}]]')
    (line,) = pending_lines(later, around)
    assert (str(line.why.reason), list(begins(later)), list(begins(record))) == ("BeginTime", [0.0, 9e9], [])


def test_what_was_changed_is_cancelled_by_what_it_is_now(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3")
    (job,) = cluster.store.jobs([array])
    found = cluster.service.query.queue.alive()
    found = found._replace(jobs=[replace(job, changes='[["2-3",{"name":"new"}]]')])
    for names, ranks in ((("new",), ["2-3"]), (("other",), []), ((job.spec.name,), ["0-1"])):
        assert [target.ranks.text for target in matching(found, Filters(names=names))] == ranks


def test_of_a_range_wider_than_its_array_the_elements_that_exist_are_listed(cluster: Cluster) -> None:
    array = submit(cluster, array="0-8:2", hold=True)
    assert shown(cluster, f"{array}_[3-99]") == [(f"{array}_[4,6,8]", "Pending", "Held")]
    assert shown(cluster, f"{array}_[90-99]") == []


def test_what_is_named_twice_is_listed_once(cluster: Cluster) -> None:
    array = submit(cluster, array="0-8", hold=True)
    cluster.service.control.hold(ALICE, parse_selectors(f"{array}_1"), False)
    cluster.begin(array, 1)
    ran = (f"{array}_1", "Running", "")
    assert shown(cluster, f"{array}_[1-5],{array}_[4-7]") == [(f"{array}_[2-7]", "Pending", "Held"), ran]
    assert shown(cluster, f"{array + 2},{array},{array}_2") == [(f"{array}_[0,2-8]", "Pending", "Held"), ran]


def test_what_runs_is_found_however_far_it_stands_in_its_array(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crane_celery.service.query.queue.MAX_ENDED", 2)
    array = submit(cluster, array="0-9")
    ran, runs, ended = (
        (f"{array}_{rank}", state, "") for rank, state in ((7, "Completed"), (8, "Running"), (9, "Failed"))
    )
    cluster.run(array, 7)
    cluster.begin(array, 8)
    everything = frozenset(State)
    assert shown(cluster, str(array), states=everything)[1:] == [runs, ran]
    cluster.run(array, 9, code=1)
    cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_[0-6]"), Filters())
    assert shown(cluster, str(array), states=everything) == [runs]
    assert shown(cluster, f"{array}_[7-9]", states=everything) == [runs, ran]
    assert shown(cluster, f"{array}_9", states=everything) == [ended]


def test_more_records_than_can_be_shown_are_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crane_celery.service.query.queue.MAX_ENDED", 2)
    array = submit(cluster, array="0-4")
    for rank in range(3):
        cluster.run(array, rank)
    with pytest.raises(Refused, match=rf"more than 2 elements of {array} do not wait: .* {array}_\[0-9\]"):
        cluster.service.query.show("job", (), parse_selectors(str(array)))
    assert len(cluster.service.query.show("job", (), parse_selectors(f"{array}_[1-4]"))) == 3


def test_a_large_array_that_never_ran_is_shown_in_one_record(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crane_celery.service.query.queue.MAX_ENDED", 2)
    array = submit(cluster, array="0-4")
    cluster.service.control.cancel(ALICE, parse_selectors(str(array)), Filters())
    (record,) = cluster.service.query.show("job", (), parse_selectors(str(array)))
    assert record["state"] == "Cancelled"
