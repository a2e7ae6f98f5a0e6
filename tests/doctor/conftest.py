"""Machines that are not at hand, as programs on the PATH that answer as theirs do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Machine:
    """A PATH with the programs that a test puts on it, and nothing else."""

    def __init__(self, scratch: Path) -> None:
        self.bin = scratch / "bin"
        self.home = scratch / "machine-home"
        self.folder = scratch / "here"
        for made in (self.bin, self.home, self.folder):
            made.mkdir()
        self.variables: dict[str, str] = {}

    def has(self, program: str, prints: str = "", code: int = 0) -> None:
        """Put a program there that prints something, whatever it is asked, and exits."""
        self.script(program, f"cat <<'EOT'\n{prints}\nEOT\nexit {code}")

    def script(self, program: str, lines: str) -> None:
        """Put a shell script there."""
        path = self.bin / program
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{lines}\n")
        path.chmod(0o755)

    def has_torch(self, version: str, cuda: str | None, computes: str = "2.0") -> None:
        """Give the active environment a torch of this build; what it computes, or its error."""
        package = self.home / "site" / "torch"
        package.mkdir(parents=True)
        (package / "version.py").write_text(f"__version__ = {version!r}\ncuda = {cuda!r}\n")
        outcome = f"return {computes}" if computes[0].isdigit() else f"raise {computes}"
        (package / "__init__.py").write_text(
            "class _Tensor:\n"
            "    def sum(self):\n"
            f"        {outcome}\n"
            "def ones(size, device):\n"
            "    return _Tensor()\n"
        )
        python = self.home / "env" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        self.variables["VIRTUAL_ENV"] = str(self.home / "env")

    def doctor(self, *arguments: str, code: int = 0) -> str:
        """Run `nnscaffold doctor` there; return what it prints."""
        result = subprocess.run(
            [sys.executable, "-m", "scaffolder", "doctor", *arguments],
            cwd=self.folder,
            env=self.variables
            | {"PATH": str(self.bin), "HOME": str(self.home), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (result.returncode, result.stderr) == (code, ""), result.stdout + result.stderr
        return result.stdout

    def findings(self, code: int = 0) -> dict[str, dict[str, Any]]:
        """What the doctor finds there, by name."""
        document = json.loads(self.doctor("--json", code=code))
        assert (document["schema"], document["command"]) == (1, "doctor")
        assert document["ok"] is (code == 0)
        return {finding["name"]: finding for finding in document["result"]["findings"]}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with git alone."""
    machine = Machine(tmp_path)
    machine.has("git", "git version 2.47.1")
    return machine


ROOT_USER = os.geteuid() == 0
