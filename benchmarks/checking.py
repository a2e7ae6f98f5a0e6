"""How fast the checker reads a package, beside ast.parse, ruff and TorchFix, and 3,000 files.

Usage: python benchmarks/checking.py [RUNS]

All read timm 1.0.31, which pip downloads into a folder that is removed at the end, in turn and each
as a process of its own, with no cache but where it says so; TorchFix once, for it takes minutes.
The peers do less: ruff has no rule on the structure of modules, TorchFix has others. Prints medians
and ratios, and exits with 1 where a ratio is above its target.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PACKAGE = "timm==1.0.31"
# TorchFix demands an older libcst than there is; it runs with this one.
PEER = ("torchfix==0.7.0", "libcst", "pyyaml", "flake8", "pycodestyle", "pyflakes", "mccabe")
BIN = Path(sys.executable).parent
COPIES = 10
PARSE = """
import ast, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    ast.parse(path.read_bytes())
"""


class Target(NamedTuple):
    """A ratio of two of the commands, and the greatest one that we accept."""

    ours: str
    peer: str
    greatest: float


TARGETS = (
    Target("nnscaffold check", "ast.parse", 5.0),
    Target("nnscaffold check, again", "nnscaffold check", 0.2),
    Target("nnscaffold check of ten copies", "ten times nnscaffold check", 1.2),
)


def main() -> None:
    """Time all in turn; exit with 1 where a target is missed."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="nnscaffold-checking-") as folder:
        missed = measure(Path(folder), runs)
    for target in missed:
        print(f"Above its target: {target.ours} / {target.peer} > {target.greatest}")
    sys.exit(bool(missed))


def measure(folder: Path, runs: int) -> list[Target]:
    """Print the table; return the targets that were missed."""
    install(folder / "timm", PACKAGE)
    install(folder / "peer", *PEER)
    timm = folder / "timm" / "timm"
    ten = folder / "ten"
    for copy in range(COPIES):
        shutil.copytree(timm, ten / f"copy{copy}" / "timm")
    print(
        f"{count(timm)} files of {PACKAGE}, {runs} runs each; once: TorchFix, which "
        f"takes minutes, and ten copies, which are {count(ten)} files"
    )
    commands = {
        "ast.parse": [sys.executable, "-c", PARSE, str(timm)],
        "nnscaffold check": [str(BIN / "nnscaffold"), "check", "-q", "--no-cache", str(timm)],
        "nnscaffold check, again": [str(BIN / "nnscaffold"), "check", "-q", str(timm)],
        "ruff check": [str(BIN / "ruff"), "check", "-q", "--no-cache", "--isolated", str(timm)],
    }
    torchfix = [sys.executable, "-m", "torchfix", "--select", "ALL", str(timm)]
    environment = {
        **os.environ,
        "NNSCAFFOLD_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": str(folder / "peer"),
    }
    run(commands["nnscaffold check, again"], environment)  # which fills its cache
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(run(command, environment)[0])
    medians = {name: statistics.median(values) for name, values in times.items()}
    _, small = run(commands["nnscaffold check"], environment)
    of_ten = [*commands["nnscaffold check"][:-1], str(ten)]
    medians["nnscaffold check of ten copies"], large = run(of_ten, environment)
    medians["torchfix"], _ = run(torchfix, environment)
    medians["ten times nnscaffold check"] = COPIES * medians["nnscaffold check"]
    for name, seconds in medians.items():
        print(f"{name:32} {seconds:8.2f} s   {seconds / medians['ast.parse']:6.2f} times ast.parse")
    print(f"peak memory: {small:.0f} MB for {count(timm)} files, {large:.0f} MB for {count(ten)}")
    ratios = {target: medians[target.ours] / medians[target.peer] for target in TARGETS}
    for target, ratio in ratios.items():
        print(f"{target.ours} / {target.peer}: {ratio:.2f} (target: at most {target.greatest})")
    return [target for target, ratio in ratios.items() if ratio > target.greatest]


def install(folder: Path, *requirements: str) -> None:
    """Install into a folder of its own, without what they require."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(folder), *requirements], check=True)


def count(folder: Path) -> int:
    """The number of files of Python in a folder."""
    return sum(1 for _ in folder.rglob("*.py"))


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; its seconds, and the greatest memory of any child so far, in megabytes."""
    start = time.perf_counter()
    result = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    seconds = time.perf_counter() - start
    if result.returncode not in (0, 1) or "Traceback" in result.stderr:
        sys.exit(f"{' '.join(command)} failed: {result.stderr}")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


if __name__ == "__main__":
    main()
