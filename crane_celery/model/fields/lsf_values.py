"""LSF's values that have a grammar of their own: ``-R "select[a] rusage[mem=4G] span[ptile=2]"`` and ``-gpu num=2``."""

from __future__ import annotations

import re

from crane_celery.errors import InputError, NotSupported
from crane_celery.grammar._lex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTION = r"\s*([a-z]+)\s*\[([^\]]*)\]\s*"
#: of -gpu: what is so here for every job that has devices of its own
_ALWAYS = {"mode": ("shared", "exclusive_process"), "mps": ("no",), "j_exclusive": ("yes", "no"), "aff": ("yes", "no")}


def requirements(text: str) -> Iterator[str]:
    """Yield the options that a resource requirement stands for. Raises InputError, NotSupported."""
    if not re.fullmatch(rf"(?:{_SECTION})+", text):
        yield from _select(text)
        return
    for name, inner in re.findall(_SECTION, text):
        if name == "select":
            yield from _select(inner)
        elif name == "rusage":
            yield from _rusage(inner)
        elif name == "span":
            yield from _span(inner)
        else:
            raise NotSupported(f"{name}[...] of LSF is not supported yet: of -R there are select, rusage and span")


def _select(text: str) -> Iterator[str]:
    """Features, joined by ``&&`` or ``||``."""
    bare = re.sub(r"\s+|(?:^|&&)type==(?:any|local)(?=$|&&)", "", re.sub(r"\s+", "", text)).removeprefix("&&")
    if not bare:
        return
    if not re.fullmatch(r"(?a)\w[\w.-]*(?:(?:&&|\|\|)\w[\w.-]*)*", bare) or ("&&" in bare and "||" in bare):
        raise NotSupported(
            f"select {quote(text)} of LSF is not supported yet: name features of nodes, joined by && or by ||, and ask"
            " for memory with -M"
        )
    yield f"--constraint={bare.replace('&&', '&').replace('||', '|')}"


def _rusage(text: str) -> Iterator[str]:
    """Memory and GPUs of each node."""
    names = {"mem": "--mem", "ngpus_physical": "--gpus-per-node", "ngpus": "--gpus-per-node"}
    for item in filter(None, re.split(r"[,:]", re.sub(r"\s+", "", text))):
        name, _, value = item.partition("=")
        if name not in names:
            raise NotSupported(f"rusage {quote(item)} of LSF is not supported yet: of it there are {', '.join(names)}")
        if not value:
            raise InputError(f"rusage {quote(item)} has no value: write {name}=N")
        yield f"{names[name]}={value}"


def _span(text: str) -> Iterator[str]:
    """Yield how tasks are spread."""
    name, _, value = re.sub(r"\s+", "", text).partition("=")
    if name == "hosts" and value == "1":
        yield "--nodes=1"
    elif name == "ptile" and re.fullmatch(r"(?a)\d{1,9}", value):
        yield f"--ntasks-per-node={value}"
    elif (name, value) != ("hosts", "-1"):
        raise NotSupported(f"span {quote(text)} of LSF is not supported yet: write span[hosts=1] or span[ptile=N]")


def gpus(text: str) -> str:
    """Return ``num=2:gmodel=a100`` as ``a100:2``; ``-`` is one. Raises InputError, NotSupported."""
    number, kind = "1", ""
    for item in [] if text == "-" else text.split(":"):
        name, _, value = item.partition("=")
        if name == "num" and re.fullmatch(r"(?a)\d{1,9}", value):
            number = value
        elif name == "gmodel" and value:
            kind = value
        elif value not in _ALWAYS.get(name, ()):
            raise NotSupported(f"-gpu {quote(item)} of LSF is not supported yet: write num=N, with gmodel=TYPE")
    return f"{kind}:{number}" if kind else number
