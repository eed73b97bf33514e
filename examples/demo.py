"""The demo: an embedded cluster of four virtual nodes analyses the standard library of the running Python.

Everything is done by the commands that users type; this driver only waits for them and shows what came out. Usage:
demo.py REPORT_FOLDER
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent / "stdlib"
BIN = Path(sys.executable).parent
_BAR = 40


class Demo:
    """One run of the demo, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """``folder`` holds the cluster's home and the jobs' working directory."""
        self.work = folder / "work"
        (self.work / "counts").mkdir(parents=True)
        self.env = {
            **os.environ,
            "CRANE_HOME": str(folder / "home"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "EXAMPLE": str(EXAMPLE),
        }

    def run(self, *command: str, check: bool = True) -> str:
        """A command's output, in the working directory; ends the demo with the command's own words when it fails."""
        done = subprocess.run(command, env=self.env, cwd=self.work, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise SystemExit(f"{' '.join(command)} failed ({done.returncode}): {done.stderr or done.stdout}")
        return done.stdout

    def submit(self, script: str, *options: str) -> str:
        """Submit a script of the example as a user would; the job's id."""
        command = ("cbatch", "--parsable", *options, str(EXAMPLE / script))
        print(f"$ {' '.join(command)}")
        return self.run(*command).strip()

    def submit_and_wait(self, script: str, *options: str) -> "tuple[str, subprocess.Popen[str]]":
        """Submit with ``--wait``: the job's id, and the command, which ends when the job has."""
        command = ("cbatch", "--parsable", "--wait", *options, str(EXAMPLE / script))
        print(f"$ {' '.join(command)}")
        waits = subprocess.Popen(command, env=self.env, cwd=self.work, stdout=subprocess.PIPE, text=True)
        assert waits.stdout is not None
        return waits.stdout.readline().strip(), waits

    def watch(self, array: str, total: int) -> None:
        """Show the array's progress until its last element has written its counts or none is left in the queue."""
        done = 0
        while done < total and self.run("cqueue", "-N", "-o", "%j", "-j", array).strip():
            done = len(list((self.work / "counts").iterdir()))
            _bar(done, total)
            time.sleep(0.5)
        _bar(len(list((self.work / "counts").iterdir())), total)
        print()


def _bar(done: int, total: int) -> None:
    full = _BAR * done // total
    print(f"\r[{'#' * full}{'.' * (_BAR - full)}] {done}/{total} modules", end="", flush=True)


def demo(folder: Path, report: Path) -> int:
    """All of it; 0 when the result is there and complete."""
    run = Demo(folder)
    began = time.monotonic()
    try:
        print(run.run("crane", "up", "--nodes", "4", "--cpus", "2", "--mem", "2G"))
        listing = run.run(sys.executable, "-I", "-S", str(EXAMPLE / "modules.py"))
        (run.work / "modules.txt").write_text(listing)
        total = len(listing.splitlines())
        array = run.submit("count.sh", f"--array=0-{total - 1}")
        merge, merged = run.submit_and_wait("merge.sh", "--dependency", f"afterok:{array}")
        complain = run.submit("complain.sh", "--dependency", f"afternotok:{array}")
        run.watch(array, total)
        print(run.run("cqueue"))
        merged.wait()
        show(run, array, merge, complain)
        return conclude(run, report, complain, time.monotonic() - began)
    finally:
        print(run.run("crane", "down", check=False))


def show(run: Demo, array: str, merge: str, complain: str) -> None:
    """The result, and what ran where."""
    print(run.run("cat", "logs/merge.out"))
    print("what ran where: the elements of each node, one of them with its steps, and the other two jobs")
    rows = run.run("cacct", "-N", "-m", "10000", "-o", "%j|%L|%t", "-j", array).splitlines()
    places = Counter(tuple(row.split("|")[1:]) for row in rows if "." not in row.partition("|")[0])
    for (node, state), count in sorted(places.items()):
        print(f"  {node}  {count} {state}")
    print()
    print(run.run("cacct", "--steps", "-o", "%j %n %L %S %D %t %e", "-j", f"{array}_0,{merge},{complain}"))


def conclude(run: Demo, report: Path, complain: str, seconds: float) -> int:
    """Keep the report; say whether all went as it should."""
    wrong = [name for name in ("report.md", "plot.png") if not (run.work / name).exists()]
    report.mkdir(exist_ok=True)
    for name in ("report.md", "plot.png"):
        if name not in wrong:
            shutil.copyfile(run.work / name, report / name)
    if (run.work / "complaint").exists():
        wrong.append(f"job {complain} ran, and should not have")
    if wrong:
        print("missing or wrong:", *wrong)
        return 1
    print((report / "report.md").read_text())
    print(f"done in {seconds:.0f} s; report and plot are in {report}")
    return 0


def main() -> int:
    """A temporary cluster, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="crane demo "))
    folder.chmod(0o755)
    try:
        return demo(folder, Path(sys.argv[1]).resolve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
