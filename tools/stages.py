"""Run the tests in stages: `tests/stages.toml` lists them.

Usage: python tools/stages.py [--except NAME] [--all] [--record] [NAME]...

A stage with inputs runs when they are not those with which it last passed (`.ci/passed.json`), and
always with --all, by its name, and if NNSCAFFOLD_RELEASE=1. Prints the time of each stage and the
twenty slowest tests at the end, with those of a `make test` before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "stages.toml"
PASSED = ROOT / ".ci" / "passed.json"
REPORTS = ROOT / "build" / "stages"


@dataclass(frozen=True)
class Stage:
    """An entry of the table; its head explains the keys."""

    name: str
    tests: list[str] = field(default_factory=list)
    pytest: str = ""
    workers: int = 1
    inputs: list[str] = field(default_factory=list)
    may_skip: str = "(?!)"
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> Path:
        """Where pytest writes what became of each test."""
        return REPORTS / f"{self.name}.xml"

    def command(self) -> list[str]:
        """The command that runs the stage."""
        generated = ["tools/generated_suite.py", json.dumps(self.answers)]
        runner = generated if self.answers else ["-m", "pytest"]
        options = [*shlex.split(self.pytest), "-q", f"--junitxml={self.report}"]
        workers = ["-n", str(self.workers)] if self.workers > 1 else []
        return [sys.executable, *runner, *options, *workers, *self.tests]

    def digest(self, files: list[str]) -> str:
        """A hash of the stage's entry and of its inputs: their names, bytes and execute bits."""
        total = hashlib.sha256(repr(self).encode())
        for pattern in self.inputs:
            if not any(fnmatchcase(name, pattern) for name in files):
                sys.exit(f"{TABLE.name}, stage {self.name}: no file is called {pattern}.")
        for name in files:
            if any(fnmatchcase(name, pattern) for pattern in self.inputs):
                content = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
                total.update(f"{name}\0{os.access(ROOT / name, os.X_OK)}\0{content}\n".encode())
        return total.hexdigest()


def main() -> None:
    """Run the stages that are due; exit with 1 if one fails."""
    stages = read_table(TABLE)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [stage.name for stage in stages]
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--except", dest="left_out", action="append", default=[], choices=names)
    parser.add_argument("--all", action="store_true", help="those with unchanged inputs, too")
    parser.add_argument(
        "--record", action="store_true", help="record what passes in .ci/passed.json"
    )
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"There is no stage '{unknown[0]}'; there are {', '.join(names)}.")
    wanted = set(options.names or names) - set(options.left_out)
    chosen = [stage for stage in stages if stage.name in wanted]
    every = options.all or bool(options.names) or os.environ.get("NNSCAFFOLD_RELEASE") == "1"

    REPORTS.mkdir(parents=True, exist_ok=True)
    passed = json.loads(PASSED.read_text(encoding="utf-8")) if PASSED.exists() else {}
    lines, due = [], []
    for stage in chosen:
        stage.report.unlink(missing_ok=True)
        digest = stage.digest(_files()) if stage.inputs else None
        if digest and not every and passed.get(stage.name, {}).get("inputs") == digest:
            when = passed[stage.name]["date"]
            lines.append(f"stage {stage.name}: skipped, inputs unchanged since it passed on {when}")
            print(lines[-1], flush=True)
        else:
            due.append((stage, digest))
    failed = False
    for stage, digest, seconds, status in _run_all(due):
        result = "failed" if status else "passed"
        failed |= bool(status)
        if options.record and not status and digest:
            if reasons := _skipped(stage):
                result += f"; not recorded, as tests were skipped: {'; '.join(sorted(reasons))}"
            elif digest != stage.digest(_files()):
                result += "; not recorded, as its inputs changed meanwhile"
            else:
                passed[stage.name] = {"inputs": digest, "date": date.today().isoformat()}
                text = json.dumps(passed, indent=2, sort_keys=True)
                PASSED.write_text(f"{text}\n", encoding="utf-8")
        lines.append(f"stage {stage.name}: {result}, {seconds:.0f} s")
    for stage in stages:
        if stage not in chosen and stage.report.exists():
            lines.append(f"stage {stage.name}: ran before, {_seconds(stage):.0f} s")
    print("\n===== Stages\n" + "\n".join(lines))
    print("===== The slowest tests\n" + "\n".join(_slowest(stages, 20)))
    sys.exit(failed)


def read_table(path: Path) -> list[Stage]:
    """Read the stages; one of the others' tests has all files that no stage names."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    named = {test for entry in entries.values() for test in entry.get("tests", [])} - {"tests"}
    for entry in entries.values():
        if entry.pop("others", False):
            entry["tests"] = ["tests", *(f"--ignore={test}" for test in sorted(named))]
    return [Stage(name, **entry) for name, entry in entries.items()]


def _files() -> list[str]:
    """All files that git has or would take, sorted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def _run_all(due: list[tuple[Stage, str | None]]) -> Iterator[tuple[Stage, str | None, float, int]]:
    """Run stages of several workers one after the other, then those of one worker by two."""

    def run(entry: tuple[Stage, str | None]) -> tuple[Stage, str | None, float, int]:
        stage, digest = entry
        print(f"\n===== {stage.name} ({time.strftime('%T')})", flush=True)
        start = time.monotonic()
        # What two stages print at once would be mixed: that of one worker comes when it is done.
        pipe = subprocess.PIPE if stage.workers == 1 else None
        process = subprocess.run(
            stage.command(),
            cwd=ROOT,
            env={"OMP_NUM_THREADS": "1", **os.environ},
            stdout=pipe,
            stderr=subprocess.STDOUT if pipe else None,
            text=True,
            check=False,
        )
        if pipe:
            print(
                f"\n===== {stage.name}, done ({time.strftime('%T')})\n{process.stdout}", flush=True
            )
        return stage, digest, time.monotonic() - start, process.returncode

    yield from map(run, [entry for entry in due if entry[0].workers > 1])
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(run, [entry for entry in due if entry[0].workers == 1])


def _cases(stage: Stage) -> list[ElementTree.Element]:
    if not stage.report.exists():
        return []
    return list(ElementTree.parse(stage.report).iter("testcase"))


def _skipped(stage: Stage) -> set[str]:
    """Why tests were skipped, without what the stage may skip."""
    skips = [skip for case in _cases(stage) for skip in case.iter("skipped")]
    reasons = {s.get("message", "") for s in skips if s.get("type") == "pytest.skip"}
    return {reason for reason in reasons if not re.search(stage.may_skip, reason)}


def _seconds(stage: Stage) -> float:
    return sum(float(s.get("time", 0)) for s in ElementTree.parse(stage.report).iter("testsuite"))


def _slowest(stages: list[Stage], count: int) -> list[str]:
    times = [
        (float(case.get("time", 0)), f"{stage.name}: {case.get('classname')}::{case.get('name')}")
        for stage in stages
        for case in _cases(stage)
    ]
    return [f"{seconds:7.1f} s  {name}" for seconds, name in sorted(times, reverse=True)[:count]]


if __name__ == "__main__":
    main()
