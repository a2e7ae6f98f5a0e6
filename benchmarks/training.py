"""The training of generated repositories, task by task, beside a bare loop and two frameworks."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
NNSCAFFOLD = str(Path(sys.executable).parent / "nnscaffold")
PEERS = HERE.parent / "build" / "peers" / "training"
FRAMEWORKS = ("accelerate==1.15.0", "lightning==2.6.6")
TASKS = ("digits", "tabular", "sequence")
PAIRS, EPOCHS, STARTS = 1000, 10, 5
# Of the time that a bare loop needs for a step.
TARGET = 1.03


class Task(NamedTuple):
    """What the measurement of one task came to.

    Attributes:
        name: The task.
        device: Where it ran.
        ours: Median seconds of a step of the generated trainer.
        theirs: Median seconds of a step of the bare loop.
        ratio: The median of the ratios of the two, step by step.
        rates: Samples a second of each loop, over whole epochs.
        our_start: Median seconds from the start of `python -m PACKAGE.train` to its first step.
        their_start: The same of a script with a bare loop.
    """

    name: str
    device: str
    ours: float
    theirs: float
    ratio: float
    rates: dict[str, float]
    our_start: float
    their_start: float


class Training(NamedTuple):
    """What the measurement came to.

    Attributes:
        tasks: Of each task.
    """

    tasks: list[Task]

    @property
    def missed(self) -> list[str]:
        """Where a ratio, as it is printed, is above what we accept."""
        above = [task.name for task in self.tasks if round(task.ratio, 3) > TARGET]
        return [f"a training step of {name} / a bare PyTorch loop" for name in above]

    def table(self) -> str:
        """All of it, for people."""
        names = sorted({name for task in self.tasks for name in task.rates})
        return "\n".join(
            [
                f"Training on {self.tasks[0].device}, one thread: {PAIRS} pairs of steps, {EPOCHS} "
                f"epochs each in turn, {STARTS} starts; medians",
                "",
                "| a step of the generated trainer | milliseconds | a bare PyTorch loop | ratio "
                "| target |",
                "|---|---|---|---|---|",
                *(
                    f"| {task.name} | {task.ours * 1e3:.3f} | {task.theirs * 1e3:.3f} "
                    f"| {task.ratio:.3f} | ≤ {TARGET} |"
                    for task in self.tasks
                ),
                "",
                "| from start to first step | seconds | a bare script | ratio |",
                "|---|---|---|---|",
                *(
                    f"| {task.name} | {task.our_start:.2f} | {task.their_start:.2f} "
                    f"| {task.our_start / task.their_start:.2f} |"
                    for task in self.tasks
                ),
                "",
                "| samples/s | " + " | ".join(task.name for task in self.tasks) + " |",
                "|---|" + "---|" * len(self.tasks),
                *(
                    f"| {name} | "
                    + " | ".join(f"{task.rates.get(name, 0):,.0f}" for task in self.tasks)
                    + " |"
                    for name in names
                ),
            ]
        )


def measure(scratch: Path) -> Training:
    """Make a repository of each task, and train in it, in processes of their own."""
    scratch.mkdir()
    for task in TASKS:
        answers = ["--defaults", "-q", "-d", f"task={task}", "-d", f"package={task}"]
        _run([NNSCAFFOLD, "new", "project", str(scratch / task), *answers])
    return Training([measure_task(task, scratch / task) for task in TASKS])


def measure_task(
    package: str,
    repository: Path,
    pairs: int = PAIRS,
    epochs: int = EPOCHS,
    starts: int = STARTS,
) -> Task:
    """Train in a repository, whose package has the task's name."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository / "src"),
        # With more of them, other processes decide how long they wait for each other.
        "OMP_NUM_THREADS": "1",
    }

    def run(python: str, *words: str) -> str:
        command = [python, *words]
        result = subprocess.run(
            command,
            cwd=repository,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            sys.exit(f"{shlex.join(command)}: {result.stdout}{result.stderr}")
        return result.stdout

    script = str(HERE / "training_steps.py")
    output = run(_python(), script, package, str(pairs), str(epochs))
    measured = json.loads(output.splitlines()[-1])
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(starts + 1):
        for kind, taken in seconds.items():
            start = str(HERE / "training_start.py")
            taken.append(float(run(sys.executable, start, package, kind, str(time.time()))))
    # The first start of each warms the caches.
    ours, theirs = (statistics.median(taken[1:] or taken) for taken in seconds.values())
    return Task(
        package,
        measured["device"],
        **measured["steps"],
        rates=measured["rates"],
        our_start=ours,
        their_start=theirs,
    )


def _python() -> str:
    """An interpreter with the frameworks and all that this one has, made on first use.

    Without them where they cannot be installed: their rates are then missing.
    """
    python, ready = PEERS / "bin" / "python", PEERS / ".ready"
    made_of = "\n".join((sys.executable, *FRAMEWORKS))
    if ready.exists() and ready.read_text() == made_of:
        return str(python)
    ours = Path(sysconfig.get_path("purelib"))
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(PEERS)])
        # The torch of this environment serves, and is not installed again.
        theirs = next(PEERS.glob("lib/python*/site-packages"))
        (theirs / "ours.pth").write_text(f"{ours}\n")
        _run([*install, "-c", str(HERE.parent / "constraints.txt"), *FRAMEWORKS])
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or "no message").splitlines()[-1]
        print(f"skipped: Accelerate and Lightning ({reason})", file=sys.stderr)
        return sys.executable
    ready.write_text(made_of)
    return str(python)


def _run(command: list[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
