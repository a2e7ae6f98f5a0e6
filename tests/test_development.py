"""What a contributor's environment is made of."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_make_installs_every_group_of_requirements() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    installed = re.findall(r"--group (\w+)", (ROOT / "Makefile").read_text())
    assert set(installed) == groups.keys()


def test_the_pages_of_the_rules_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "rules.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"run `make docs`:\n{result.stderr}"
