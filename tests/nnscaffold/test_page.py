"""docs/contract.md, followed to the letter: what it shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contract.md"
STEP = re.compile(
    r"<!-- (file|session|run|replace)(?:: (.+?))? -->\n(?:```\w+\n(.*?)```\n)?", re.DOTALL
)


def test_the_page_shows_what_happens(tmp_path: Path) -> None:
    steps = STEP.findall(PAGE.read_text(encoding="utf-8"))
    assert len(steps) > 9
    for action, what, text in steps:
        if action == "file":
            (tmp_path / what).write_text(text)
        elif action == "replace":
            name, change = what.split(": ", 1)
            before, after = change.split(" -> ")
            code = (tmp_path / name).read_text()
            assert before in code
            (tmp_path / name).write_text(code.replace(before, after))
        elif action == "run":
            (tmp_path / "program.py").write_text(text)
            line = text.splitlines().index("        self.total = torch.zeros(8)") + 1
            said = printed([sys.executable, "program.py"], tmp_path)
            assert said.startswith(f"program.py:{line} total: plain tensor of shape (8,): ")
        else:
            command, _, shown = text.removeprefix("$ ").partition("\n")
            assert without_chance(output(command, tmp_path)) == without_chance(shown), command


def output(command: str, folder: Path) -> str:
    """What a line of a session prints."""
    words = shlex.split(command)
    words = words[2:] if words[0] == "python" else words
    plugin = ["-p", "nnscaffold.pytest_plugin", "-p", "no:cacheprovider"]
    return printed([sys.executable, "-m", *words, *plugin], folder)


def printed(command: list[str], folder: Path) -> str:
    """What a program prints; reasons of skipped tests depend on the machine."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # The plugin of this checkout, whatever is installed.
    own = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = kept | own | {"COLUMNS": "80", "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def without_chance(text: str) -> list[str]:
    """The lines but for times, for counts that a GPU changes, and for pytest's dots."""
    lines = re.sub(r"\d+ passed, \d+ skipped(.*) in [\d.]+s", r"passed\1", text.strip())
    lines = re.sub(r" in [\d.]+s", "", lines)
    return [line for line in lines.splitlines() if line and not re.fullmatch(r"[.Fs]+ +\[.*", line)]
