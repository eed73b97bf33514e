"""Typed reading of a submission's options, which arrive as text. Pure."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from crane_celery.errors import InputError
from crane_celery.grammar.names import did_you_mean
from crane_celery.model.fields.table import FIELDS, recorded, sendable
from crane_celery.service.submit.request import JobRequest

T = TypeVar("T")
MAX_NUMBER = 10_000_000
MAX_CPUS = 1_000_000.0
#: characters of an option's value
MAX_TEXT = 1 << 20
#: accepted, recorded where there is a place for it, and of no effect (design: nearly every real script has them)
OF_NO_EFFECT = recorded()
#: options whose value is a list or an expression: an empty one asks for nothing
OF_MANY = frozenset(field.key for field in FIELDS if field.many)
KNOWN = sendable()


class Options:
    """Typed reading of the option mapping, with errors that say which option and where."""

    def __init__(self, request: JobRequest) -> None:
        """Raises InputError for an option that there is not."""
        unknown = sorted(str(name) for name in request.options if name not in KNOWN)
        if unknown:
            raise InputError(f"unknown option {unknown[0][:60]!r}{did_you_mean(unknown[0], KNOWN)}")
        self._values = request.options
        self._where = request.where

    def other(self, values: Mapping[str, object]) -> "Options":
        """The same with other values of some."""
        made = Options.__new__(Options)
        made._values, made._where = {**self._values, **values}, self._where
        return made

    def value(self, name: str) -> object:
        """The value of an option as it came, None when absent."""
        return self._values.get(name)

    def error(self, name: str, why: str) -> InputError:
        """An InputError that names the option."""
        place = self._where.get(name)
        return InputError(f"{f'{place}: ' if place else ''}--{name.replace('_', '-')}: {why}")

    def text(self, name: str) -> str:
        """A text option, "" when absent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or "\0" in value:
            raise self.error(name, "must be a text without NUL")
        if len(value) > MAX_TEXT:
            raise self.error(name, f"{len(value)} characters are too many: {MAX_TEXT} at most")
        return value

    def shown(self, name: str) -> str:
        """The value of any option as text, cut to what a variable should hold."""
        return str(self._values.get(name))[:255].replace("\0", "")

    def given(self, name: str) -> bool:
        """Return whether it was given at all."""
        return self._values.get(name) is not None

    def read(self, name: str, parse: Callable[[str], T], absent: T) -> T:
        """A text option through its grammar; "" is an error of the grammar, absence is not. Of a list "" is none."""
        if self._values.get(name) is None or (name in OF_MANY and not self.text(name).strip()):
            return absent
        try:
            return parse(self.text(name))
        except InputError as error:
            raise self.error(name, error.message) from None

    def number(self, name: str, low: int = 1, high: int = MAX_NUMBER) -> int:
        """A whole number as text or number, 0 when absent."""
        value = self._values.get(name)
        if value is None:
            return 0
        text = str(value)
        digits = text.removeprefix("-")
        if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise self.error(name, f"{text[:60]!r} is not a whole number")
        if not low <= int(text) <= high:
            raise self.error(name, f"{text} is not from {low} to {high}")
        return int(text)

    def cpus(self) -> float:
        """``--cpus-per-task``: above 0, fractions allowed; 1 when absent."""
        value = self._values.get("cpus_per_task")
        if value is None:
            return 1.0
        try:
            cpus = float(str(value)) if str(value).isascii() else 0.0
        except ValueError:
            cpus = 0.0
        if not 0 < cpus <= MAX_CPUS:
            raise self.error("cpus_per_task", f"{str(value)[:60]!r} is not a number of CPUs above 0")
        return cpus

    def flag(self, name: str) -> bool:
        """A switch."""
        return self._values.get(name) is True

    def word(self, name: str) -> str:
        """A switch that may have a value: that value, "yes" without one, "" when absent."""
        return "yes" if self._values.get(name) is True else self.text(name)

    def choice(self, name: str, *choices: str) -> str:
        """One of a few words, the first when absent."""
        value = self.text(name) or choices[0]
        if value not in choices:
            raise self.error(name, f"{value[:60]!r} is none of {', '.join(choices)}{did_you_mean(value, choices)}")
        return value

    def yes(self, name: str) -> bool | None:
        """``yes`` or ``no`` (or a truth value), None when absent."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        return self.choice(name, "yes", "no") == "yes"

    def refuse_both(self, one: str, other: str) -> None:
        """Raise InputError where both are given."""
        if self._values.get(one) not in (None, "") and self._values.get(other) not in (None, ""):
            raise self.error(one, f"excludes --{other.replace('_', '-')}: give one of them")
