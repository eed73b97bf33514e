"""All targets, by group: a group is what one run of the short form tries."""

from importlib import import_module

from tests.fuzz.target import Target

GROUPS = ("grammars", "gateway", "shepherd", "files", "server")


def of(group: str) -> tuple[Target, ...]:
    """Return the targets of a group."""
    found: tuple[Target, ...] = import_module(f"tests.fuzz.targets.{group}").TARGETS
    return found


def everything() -> dict[str, Target]:
    """Return all targets by name."""
    return {target.name: target for group in GROUPS for target in of(group)}
