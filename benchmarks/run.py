"""Measure the figures of the README again: each command beside a peer, turn about, in one run.

Usage: python benchmarks/run.py [RUNS]

Only ratios within one run mean anything: machines differ, and drift.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
NNSCAFFOLD, COPIER = str(BIN / "nnscaffold"), str(BIN / "copier")
PEERS = HERE.parent / "build" / "peers"


class Comparison(NamedTuple):
    """Two commands to be timed in turn.

    Attributes:
        title: What is compared, and the command of ours.
        peer: What it is compared with.
        target: The greatest ratio of our time to the peer's that we accept.
        ours: Does our work once, in a shell command line and a folder.
        theirs: Does the peer's work once.
    """

    title: str
    peer: str
    target: float
    ours: Callable[[], tuple[str, Path]]
    theirs: Callable[[], tuple[str, Path]]


def main() -> None:
    """Run all comparisons and print a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        _isolate(Path(scratch, "home"))
        for comparison in _comparisons(Path(scratch)):
            ours, theirs = _time(comparison, runs)
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            rows.append((comparison, statistics.median(ours), statistics.median(theirs), ratio))
            print(f"measured: {comparison.title} / {comparison.peer}", file=sys.stderr)
    print(f"{runs} runs each, turn about; medians; ratio = median of the pairs' ratios\n")
    print("| command | seconds | beside | seconds | ratio | target |")
    print("|---|---|---|---|---|---|")
    for comparison, ours, theirs, ratio in rows:
        print(
            f"| {comparison.title} | {ours:.3f} | {comparison.peer} | {theirs:.3f} "
            f"| {ratio:.2f} | ≤ {comparison.target} |"
        )


def _comparisons(scratch: Path) -> Iterator[Comparison]:
    fresh = _numbered(scratch)
    yield Comparison(
        "`nnscaffold --help`",
        "a bare Typer application's `--help`",
        1.3,
        lambda: (f"{NNSCAFFOLD} --help", scratch),
        lambda: (f"{sys.executable} {HERE / 'bare_typer.py'} --help", scratch),
    )
    store = "~/.nnscaffold/template.bundle"
    repository = scratch / "digits"
    _shell(f"{NNSCAFFOLD} new project digits --defaults -q", scratch)
    version = _recorded_version(repository)
    by_copier = f"{COPIER} copy -q --defaults --vcs-ref={version} {store}"
    commit = "git init -q && git add -A && git commit -q -m Start"
    yield Comparison(
        "`nnscaffold new project`",
        "`copier copy`, `git init`, `git commit`",
        1.15,
        lambda: (f"{NNSCAFFOLD} new project {next(fresh)} --defaults", scratch),
        lambda: (f"p={next(fresh)}; {by_copier} $p && cd $p && {commit}", scratch),
    )
    yield Comparison(
        "`nnscaffold new layer`",
        "`copier copy` of the same template",
        0.45,
        lambda: (f"{NNSCAFFOLD} new layer {_letters(next(fresh))}", repository),
        lambda: (f"{by_copier} {next(fresh)}", scratch),
    )
    yield Comparison(
        "imports of `nnscaffold new layer` alone",
        "`copier copy` of the same template",
        0.45,
        lambda: (f"{sys.executable} -c 'import scaffolder.cli.main, scaffolder.add'", scratch),
        lambda: (f"{by_copier} {next(fresh)}", scratch),
    )
    if hygen := _hygen():
        other = scratch / "hygen" / "digits"
        shutil.copytree(repository, other)
        shutil.copytree(HERE / "hygen", other / "_templates")
        yield Comparison(
            "`nnscaffold new layer`",
            "hygen: two files and an index line",
            1.0,
            lambda: (f"{NNSCAFFOLD} new layer {_letters(next(fresh))}", repository),
            lambda: (f"{hygen} layer new --name {_letters(next(fresh))}", other),
        )


def _time(comparison: Comparison, runs: int) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for run in range(runs + 1):
        a, b = _seconds(*comparison.ours()), _seconds(*comparison.theirs())
        if run:  # the first warms the caches
            ours.append(a)
            theirs.append(b)
    return ours, theirs


def _seconds(command: str, folder: Path) -> float:
    started = time.perf_counter()
    _shell(command, folder)
    return time.perf_counter() - started


def _shell(command: str, folder: Path) -> None:
    result = subprocess.run(
        ["sh", "-c", f"{command}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{command}: {result.stdout}{result.stderr}")


def _isolate(home: Path) -> None:
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    os.environ["HOME"] = str(home)
    # What a first run would compile is compiled already in daily use.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _numbered(scratch: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield scratch / f"made{number}"


def _letters(path: Path) -> str:
    """A class name that is new each time: hygen and we would read digits differently."""
    number = int(path.name.removeprefix("made"))
    return f"Gate{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}"


def _recorded_version(repository: Path) -> str:
    text = (repository / ".copier-answers.yml").read_text()
    return text.partition('_commit: "')[2].partition('"')[0]


def _hygen() -> str | None:
    """Hygen's command, installed on first use; None without npm."""
    if shutil.which("npm") is None:
        print("skipped: hygen needs npm", file=sys.stderr)
        return None
    command = PEERS / "node_modules" / ".bin" / "hygen"
    if not command.exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        _shell("npm install --silent --no-audit --no-fund --prefix . hygen@6.2.11", PEERS)
    return f"env HYGEN_OVERWRITE=1 {command}"


if __name__ == "__main__":
    main()
