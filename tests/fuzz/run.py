"""Fuzz: ``python -m tests.fuzz.run [--inputs N] [--seconds S] [--seed N] [GROUP or TARGET...]``, all by default.

Each group or target has a process of its own. With atheris inputs are guided by coverage; without it they are random.
What fails is written to ``--keep`` (tests/fuzz/corpus) as text, and from then on replayed by tests/unit/fuzz.
"""

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
#: bytes of an input; choices beyond them are the plainest ones
LONGEST = 600
_SEEDS = 200


def main() -> int:
    """Run what was asked for; the exit status says whether anything failed."""
    asked = _parser().parse_args()
    if asked.child:
        _child(asked)
        return 0
    from tests.fuzz.targets import GROUPS, everything

    wrong = [name for name in asked.names if name not in (*GROUPS, *everything())]
    if wrong:
        print(f"no group or target {wrong[0]}: there are {', '.join((*GROUPS, *everything()))}")
        return 2
    names = asked.names or (list(everything()) if asked.each else list(GROUPS))
    print(f"seed {asked.seed}, again with: python -m tests.fuzz.run --seed {asked.seed} --inputs {asked.inputs}")
    return max([_one(name, asked) for name in names])


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="fuzz the decoders")
    made.add_argument("names", nargs="*", metavar="NAME", help="groups and targets")
    made.add_argument("--inputs", type=int, default=1_000_000, help="inputs for each process at most")
    made.add_argument("--seconds", type=int, default=0, help="seconds for each process at most")
    made.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    made.add_argument("--keep", type=Path, default=CORPUS, help="folder for inputs that failed")
    made.add_argument("--each", action="store_true", help="a process for each target, not for each group")
    made.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return made


def _one(name: str, asked: argparse.Namespace) -> int:
    """Run one group or target in a process; 1 when it failed."""
    argv = [sys.executable, "-m", "tests.fuzz.run", "--child", name, "--inputs", str(asked.inputs)]
    argv += ["--seconds", str(asked.seconds), "--seed", str(asked.seed), "--keep", str(asked.keep)]
    began = time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, errors="replace")
    found = re.search(r"number_of_executed_units:\s*(\d+)", done.stdout) or re.search(r"Done (\d+)", done.stdout)
    count = int(found[1]) if found else 0
    failures = re.findall(r"(?s)\nFAILURE .*?\nthe input is in [^\n]*", done.stdout)
    bad = bool(done.returncode or failures or not count)
    print(f"{name:<28} {count:>9} inputs {time.monotonic() - began:>7.1f} s  {'FAILED' if bad else 'ok'}")
    print("".join(failures) or "\n".join(done.stdout.splitlines()[-40:]) if bad else "", end="\n" * bad, flush=True)
    return int(bad)


def _child(asked: argparse.Namespace) -> None:
    (name,) = asked.names
    try:
        import atheris
    except ImportError:
        _random(name, asked)
        return
    with atheris.instrument_imports(include=["crane_celery", "workers", "beat", "cli"], enable_loader_override=False):
        step = _step(name, asked)
    with tempfile.TemporaryDirectory() as folder:
        rng = random.Random(asked.seed)
        for number in range(_SEEDS):
            Path(folder, str(number)).write_bytes(rng.randbytes(rng.randrange(LONGEST)))
        flags = [f"-seed={asked.seed}", f"-runs={asked.inputs}", f"-max_len={LONGEST}", "-len_control=0"]
        # of the wall's clock, which a busy host stretches: what takes a second of processor time is found by itself
        flags += ["-timeout=120", "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={folder}/"]
        flags += [f"-max_total_time={asked.seconds}"] if asked.seconds else []
        atheris.Setup([sys.argv[0], *flags, folder], step)
        atheris.Fuzz()


def _step(name: str, asked: argparse.Namespace):
    """Return what tries one input, given as bytes."""
    from tests.fuzz import target as targets
    from tests.fuzz.source import Source
    from tests.fuzz.targets import GROUPS, everything, of

    some = of(name) if name in GROUPS else (everything()[name],)
    growth = targets.Growth(asked.inputs)
    failed: set[tuple[str, str]] = set()
    targets.install()

    def step(data: bytes) -> None:
        source = Source(data)
        target = source.pick(some)
        value = target.make(source)
        try:
            targets.attempt(target, value)
            growth.after(target.name)
        except targets.Failure as failure:
            place = targets.place_of(failure)
            if (target.name, place) not in failed:  # each fault once; the others are looked for all the same
                failed.add((target.name, place))
                _keep(asked.keep, target.name, targets.dumps(value), f"{failure}\n{place}")

    return step


def _keep(folder: Path, name: str, text: str, why: str) -> None:
    path = folder / name / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    print(f"\nFAILURE {why}\nthe input is in {path}: {text[:500]}", flush=True)


def _random(name: str, asked: argparse.Namespace) -> None:
    """The same without guidance."""
    step, rng, until = _step(name, asked), random.Random(asked.seed), time.monotonic() + (asked.seconds or 10**9)
    done = 0
    while done < asked.inputs and time.monotonic() < until:
        step(rng.randbytes(rng.randrange(LONGEST)))
        done += 1
    print(f"Done {done}")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    raise SystemExit(main())
