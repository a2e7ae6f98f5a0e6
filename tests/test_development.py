"""What a contributor's environment is made of."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_make_installs_every_group_of_requirements() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    installed = re.findall(r"--group (\w+)", (ROOT / "Makefile").read_text())
    assert set(installed) == groups.keys()
