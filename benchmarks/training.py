"""The training step of a generated repository, beside a bare loop and two frameworks."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "build" / "peers" / "training"
FRAMEWORKS = ("accelerate==1.15.0", "lightning==2.6.6")
PAIRS, EPOCHS = 1000, 30
# Of the time that a bare loop needs for a step.
TARGET = 1.03


class Training(NamedTuple):
    """What the measurement came to.

    Attributes:
        device: Where it ran.
        ours: Median seconds of a step of the generated trainer.
        theirs: Median seconds of a step of the bare loop.
        ratio: The median of the ratios of the two, step by step.
        rates: Samples a second of each loop, over whole epochs.
    """

    device: str
    ours: float
    theirs: float
    ratio: float
    rates: dict[str, float]

    @property
    def misses_target(self) -> bool:
        """Whether the ratio, as it is printed, is above what we accept."""
        return round(self.ratio, 3) > TARGET

    def table(self) -> str:
        """All of it, for people."""
        rates = sorted(self.rates.items(), key=lambda item: -item[1])
        return "\n".join(
            [
                f"Training on {self.device}, one thread: {PAIRS} pairs of steps, {EPOCHS} epochs "
                f"each in turn; medians",
                "",
                "| training step | milliseconds | beside | milliseconds | ratio | target |",
                "|---|---|---|---|---|---|",
                f"| the generated trainer | {self.ours * 1e3:.3f} | a bare PyTorch loop "
                f"| {self.theirs * 1e3:.3f} | {self.ratio:.3f} | ≤ {TARGET} |",
                "",
                "| training | samples/s |",
                "|---|---|",
                *(f"| {name} | {rate:,.0f} |" for name, rate in rates),
            ]
        )


def measure(repository: Path) -> Training:
    """Train in a generated repository, in a process of its own."""
    (package,) = (folder.name for folder in (repository / "src").iterdir())
    command = [_python(), str(HERE / "training_steps.py"), package, str(PAIRS), str(EPOCHS)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository / "src"),
        # With more of them, other processes decide how long they wait for each other.
        "OMP_NUM_THREADS": "1",
    }
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
    measured = json.loads(result.stdout.splitlines()[-1])
    return Training(measured["device"], **measured["steps"], rates=measured["rates"])


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
