"""Every check of the drivers, on the hierarchies that this host really has."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.integration.cgroup import checks
from tests.integration.cgroup.children import CannotError, make_driver
from workers.cgroup import CgroupError, Driver, explain

KINDS = ["v2", "v1", "v1-freezer", "none"]


@pytest.fixture(params=KINDS)
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A driver of each kind that the host offers; `none` is everywhere."""
    kind = request.param
    if kind != "none" and os.geteuid() != 0:
        pytest.skip("needs root")
    try:
        made = make_driver(kind)
    except (CgroupError, AssertionError) as exc:
        pytest.skip(f"this host has no {kind}: {exc}")
    try:
        yield made
    finally:
        assert made.remove_all(), "something was left"


@pytest.mark.root
@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_driver(driver: Driver, check: Callable[[Driver], None]) -> None:
    try:
        check(driver)
    except CannotError as lack:
        pytest.skip(f"needs {lack}")


def test_explanation_names_a_remedy_for_all_that_is_wrong() -> None:
    findings = explain()
    assert {finding.name for finding in findings} >= {"cgroup driver", "cgroup controllers", "pidfd"}
    assert all(finding.remedy for finding in findings if not finding.ok)
