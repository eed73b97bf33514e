"""Skips in continuous integration: a test that is skipped where ``CI`` is set fails, unless the host truly cannot.

A pytest plugin, which tests/conftest.py loads.
"""

import os
import re
from collections.abc import Generator

import pytest

#: reasons that stand in continuous integration too, and when; each begins with one of these texts
PERMITTED: tuple[tuple[str, bool], ...] = (
    (r"needs (root|another user)\b", os.geteuid() != 0),
    # one test for each kind of control groups: no host has all of them
    (r"this host has no (v2|v1|v1-freezer): ", True),
    (r"needs a driver (that|with) ", True),
    (r"no devices controller of cgroup v1", True),
    (r"without cgroups nobody can tell", True),
    (r"with cgroups it is known", True),
    # the kernel's log belongs to the whole host
    (r"the kernel's log is closed to us", True),
    (r"other deaths of this moment have filled the kernel's log", True),
)


def permitted(reason: str) -> bool:
    """Return whether a skip for this reason stands."""
    return any(stands and re.match(text, reason) for text, stands in PERMITTED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a skip for any other reason as a failure, where ``CI`` is set."""
    report = yield
    if report.skipped and call.excinfo and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = str(getattr(call.excinfo.value, "msg", call.excinfo.value))
        if not permitted(reason):
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid} was skipped: {reason}. In continuous integration everything is tried: install what is"
                " missing (.ci/run), or name the reason in tests/support/skips.py if no host can have it."
            )
    return report
