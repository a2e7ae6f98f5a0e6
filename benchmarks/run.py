"""Measure the figures of the README again: each command beside a peer, turn about, in one run.

Usage: python benchmarks/run.py [RUNS]

Only ratios within one run mean anything: machines differ, and drift. A ratio above its target is
named at the end, and the exit code is 1.
"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import latency
import training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
# As a shell reads them: any of these paths may hold a space.
NNSCAFFOLD, COPIER = shlex.quote(str(BIN / "nnscaffold")), shlex.quote(str(BIN / "copier"))
PYTHON, BARE = shlex.quote(sys.executable), shlex.quote(str(HERE / "bare_typer.py"))
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


class Result(NamedTuple):
    """What a comparison came to: medians of seconds, and the median of the pairs' ratios."""

    comparison: Comparison
    ours: float
    theirs: float
    ratio: float

    @property
    def misses_target(self) -> bool:
        """Whether the ratio, as it is printed, is above what we accept."""
        return round(self.ratio, 2) > self.comparison.target


def main() -> None:
    """Run all comparisons, print a table, and exit with 1 where one misses its target."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        _isolate(Path(scratch, "home"))
        for comparison in _comparisons(Path(scratch)):
            results.append(_measure(comparison, runs))
            print(f"measured: {comparison.title} / {comparison.peer}", file=sys.stderr)
        trained = training.measure(Path(scratch, "trained"))
        exported = latency.measure(Path(scratch, "exports"))
    print(f"{runs} runs each, turn about; medians; ratio = median of the pairs' ratios\n")
    print("| command | seconds | beside | seconds | ratio | target |")
    print("|---|---|---|---|---|---|")
    for comparison, ours, theirs, ratio in results:
        print(
            f"| {comparison.title} | {ours:.3f} | {comparison.peer} | {theirs:.3f} "
            f"| {ratio:.2f} | ≤ {comparison.target} |"
        )
    print(f"\n{trained.table()}")
    print(f"\n{exported.table()}")
    above = [result.comparison for result in results if result.misses_target]
    missed = [f"{one.title} / {one.peer}" for one in above]
    missed += [*trained.missed, *exported.missed]
    if missed:
        sys.exit("\n".join(f"above its target: {one}" for one in missed))


def _comparisons(scratch: Path) -> Iterator[Comparison]:
    numbers = itertools.count(1)

    def folder() -> str:
        """A folder that is new each time, as a shell reads it."""
        return shlex.quote(str(scratch / f"made{next(numbers)}"))

    def name() -> str:
        """A class name that is new each time."""
        return f"Gate{_letters(next(numbers))}"

    yield Comparison(
        "`nnscaffold --help`",
        "a bare Typer application's `--help`",
        1.3,
        lambda: (f"{NNSCAFFOLD} --help", scratch),
        lambda: (f"{PYTHON} {BARE} --help", scratch),
    )
    yield Comparison(
        "`nnscaffold check --help`",
        "a bare Typer application's `--help`",
        1.1,
        lambda: (f"{NNSCAFFOLD} check --help", scratch),
        lambda: (f"{PYTHON} {BARE} --help", scratch),
    )
    yield from _checks(scratch)
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
        lambda: (f"{NNSCAFFOLD} new project {folder()} --defaults", scratch),
        lambda: (f'p={folder()}; {by_copier} "$p" && cd "$p" && {commit}', scratch),
    )
    yield Comparison(
        "`nnscaffold new layer`",
        "`copier copy` of the same template",
        0.45,
        lambda: (f"{NNSCAFFOLD} new layer {name()}", repository),
        lambda: (f"{by_copier} {folder()}", scratch),
    )
    yield Comparison(
        "imports of `nnscaffold new layer` alone",
        "`copier copy` of the same template",
        0.45,
        lambda: (f"{PYTHON} -c 'import scaffolder.cli.main, scaffolder.add'", scratch),
        lambda: (f"{by_copier} {folder()}", scratch),
    )
    if hygen := _hygen():
        other = scratch / "hygen" / "digits"
        shutil.copytree(repository, other)
        shutil.copytree(HERE / "hygen", other / "_templates")
        yield Comparison(
            "`nnscaffold new layer`",
            "hygen: two files and an index line",
            1.0,
            lambda: (f"{NNSCAFFOLD} new layer {name()}", repository),
            lambda: (f"{hygen} layer new --name {name()}", other),
        )


def _checks(scratch: Path) -> Iterator[Comparison]:
    """A check that finds everything in its cache, beside one that has none."""
    sources = scratch / "sources"
    torch = find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    shutil.copytree(Path(torch.origin).parent / "nn", sources / "nn")
    check = f"{NNSCAFFOLD} check --quiet --ignore ALL"
    yield Comparison(
        "`nnscaffold check` of torch.nn, again",
        "`nnscaffold check --no-cache`",
        0.2,
        lambda: (check, sources),
        lambda: (f"{check} --no-cache", sources),
    )


def _measure(comparison: Comparison, runs: int) -> Result:
    ours, theirs = [], []
    for run in range(runs + 1):
        a, b = _seconds(*comparison.ours()), _seconds(*comparison.theirs())
        if run:  # the first warms the caches
            ours.append(a)
            theirs.append(b)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Result(comparison, statistics.median(ours), statistics.median(theirs), ratio)


def _seconds(command: str, folder: Path) -> float:
    started = time.perf_counter()
    _shell(command, folder)
    return time.perf_counter() - started


def _shell(command: str, folder: Path) -> None:
    result = subprocess.run(
        ["sh", "-c", command],
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


def _letters(number: int) -> str:
    """A number from 1 on in letters (a … z, aa …): hygen and we would read digits differently."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return letters


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
    return f"env HYGEN_OVERWRITE=1 {shlex.quote(str(command))}"


if __name__ == "__main__":
    main()
