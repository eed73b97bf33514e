"""Which generic resources a request means on each node. Pure."""

from crane_celery.grammar.gres import Gres, parse_gpus_per_node, parse_gres
from crane_celery.service.submit.option_reader import Options


def gres_of(opt: Options, nodes: int, tasks: int = 1) -> dict[str, int]:
    """Counts on each of ``nodes`` nodes with so many tasks on each, by ``name:type`` or ``name``. Raises InputError.

    ``--gpus`` is a total: it is spread evenly, or refused. ``--gpus-per-node`` beside it must say the same.
    """
    none: Gres = {}
    found = dict(opt.read("gres", lambda text: none if text.lower() == "none" else parse_gres(text), none))
    per_task = opt.read("gpus_per_task", parse_gpus_per_node, none)
    for option, counts in (
        ("gpus_per_node", opt.read("gpus_per_node", parse_gpus_per_node, none)),
        ("gpus_per_task", {key: count * tasks for key, count in per_task.items()}),
        ("gpus", _on_each(opt, nodes)),
    ):
        for key, count in counts.items():
            if key in found and (option != "gpus" or found[key] != count):
                raise opt.error(option, _twice(option, found[key] * nodes))
            found[key] = count
    return {":".join(filter(None, key)): count for key, count in found.items()}


def _on_each(opt: Options, nodes: int) -> Gres:
    """Return what ``--gpus`` means on each node. Raises InputError where that is no whole number."""
    none: Gres = {}
    for key, count in (total := opt.read("gpus", parse_gpus_per_node, none)).items():
        if count % nodes:
            name = ":".join(filter(None, key))
            few, many = count // nodes * nodes, -(-count // nodes) * nodes
            either = f"{few} or {many}" if few else str(many)
            raise opt.error(
                "gpus", f"{count} {name} cannot be spread evenly over the {nodes} nodes of the job: ask for {either}"
            )
    return {key: count // nodes for key, count in total.items()}


def _twice(option: str, total: int) -> str:
    """Why an option that names a resource again is refused."""
    if option == "gpus":
        return f"is the total over all nodes, and --gres or --gpus-per-node make it {total}: give one of them"
    return "names what --gres names already: give it once"
