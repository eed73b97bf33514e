"""Namespaces need root."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def root() -> None:
    """Skip, saying why, where this cannot be tried."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes network namespaces and mounts a small disk")
