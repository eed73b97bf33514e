"""Define what grammars read, written again: tests read it once more and compare."""

from collections.abc import Mapping

from crane_celery.grammar.dependency import Clause, Dependency
from crane_celery.grammar.duration import format_units
from crane_celery.grammar.selector import target_text


def format_dependency(dependency: Dependency) -> str:
    """Return the canonical text, delays in unit words."""
    return ("?" if dependency.any_of else ",").join(_clause(clause) for clause in dependency.clauses)


def format_gres(gres: Mapping[tuple[str, str], int]) -> str:
    """Return the text ``name[:type]:count,..``, sorted; "" for none."""
    return ",".join(":".join(filter(None, (*key, str(count)))) for key, count in sorted(gres.items()) if count)


def _clause(clause: Clause) -> str:
    kind = clause.terms[0].kind
    if kind == "singleton":
        return kind
    targets = (
        target_text(term.job, term.part) + (f"+{format_units(term.delay)}" if term.delay else "")
        for term in clause.terms
    )
    return f"{kind}:{':'.join(targets)}"
