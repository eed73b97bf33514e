"""Define what holds for all tests: a skip is no pass where everything is to be tried."""

pytest_plugins = ("tests.support.skips",)
