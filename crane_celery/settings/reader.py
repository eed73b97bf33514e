"""YAML with line numbers: values that know where they stand, and readers that refuse the wrong kind by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, TypeVar

import yaml

from crane_celery.errors import ConfigError, InputError
from crane_celery.grammar.names import did_you_mean

T = TypeVar("T")
_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off"}


class Value(NamedTuple):
    """A value of the file: its YAML node, and the key that leads to it (``Nodes[0].cpu``)."""

    node: yaml.Node
    file: str
    key: str

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.node.start_mark.line + 1}"

    def fail(self, message: str) -> NoReturn:
        """Raise ConfigError for this value."""
        raise ConfigError(f"{self.where}: {self.key}: {message}")

    def text(self) -> str:
        """A scalar as written (``1:00:00`` stays text: YAML 1.1 would make it a number of base 60)."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag.endswith(":null"):
            self.fail(f"write one value, not {_kind(self.node)}")
        return str(self.node.value)

    def word(self) -> str:
        """A text that is not empty."""
        text = self.text()
        return text if text.strip() else self.fail("must not be empty")

    def boolean(self) -> bool:
        """``true`` or ``false`` (also yes, no, on, off)."""
        text = self.text().lower()
        if text not in _TRUE | _FALSE:
            self.fail(f"{self.text()!r} is neither true nor false")
        return text in _TRUE

    def whole(self, low: int = 0, high: int = 2**63 - 1) -> int:
        """A whole number of a range."""
        text = self.text()
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if not low <= number <= high:
            self.fail(f"{text!r} is no whole number from {low} to {high}")
        return number

    def parsed(self, parse: Callable[[str], T]) -> T:
        """Return what a grammar makes of the text."""
        try:
            return parse(self.text())
        except InputError as error:
            self.fail(error.message)

    def items(self) -> list["Value"]:
        """The members of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"write a list, not {_kind(self.node)}")
        return [Value(each, self.file, f"{self.key}[{number}]") for number, each in enumerate(self.node.value)]

    def mapping(self, known: Mapping[str, object]) -> dict[str, "Value"]:
        """The members of a mapping, by key; each key must be one of ``known`` and stand once."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"write 'key: value' lines, not {_kind(self.node)}")
        found: dict[str, Value] = {}
        for key_node, node in self.node.value:
            name = str(key_node.value)
            full = f"{self.key}.{name}" if self.key else name
            here = Value(key_node, self.file, full)
            if name not in known:
                here.fail(f"unknown key{did_you_mean(name, known)}")
            if name in found:
                here.fail(f"stands twice; the first is at line {found[name].node.start_mark.line + 1}")
            found[name] = Value(node, self.file, full)
        return found


def read(text: str, file: str) -> Value | None:
    """The document of a file, None when it is empty. Raises ConfigError where it is no YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{file}:{line}: not YAML: {error.problem or error}") from error
    except RecursionError as error:
        raise ConfigError(f"{file}:1: brackets or blocks are nested too deeply: nothing in it needs that") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}:1: not YAML: {error}") from error
    return Value(node, file, "") if node is not None else None


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "nothing" if not node.value else repr(node.value)
