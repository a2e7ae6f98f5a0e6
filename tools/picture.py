"""Draw the README's picture of a session: real commands in a real terminal, rendered as SVG.

Usage: python tools/picture.py
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "session.svg"
WIDTH = 100
SESSION = (
    "nnscaffold new project digits --defaults",
    "cd digits",
    "nnscaffold new layer CausalAttention --kind attention",
    'pytest -q -m "not slow" tests/layers/test_causal_attention.py',
    "python -m digits.train",
)


def main() -> None:
    """Run the session and write the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        home.mkdir()
        (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        folder = home
        for command in SESSION:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            if command.startswith("cd "):
                folder = folder / command.removeprefix("cd ")
                continue
            console.print(Text.from_ansi(_run(command, folder, home)))
    PICTURE.parent.mkdir(exist_ok=True)
    # Without rich's web fonts: the picture must load nothing.
    svg = re.sub(r"@font-face \{[^}]*\}\s*", "", console.export_svg(title="nnscaffold"))
    PICTURE.write_text(svg, encoding="utf-8")
    print(PICTURE.relative_to(ROOT))


def _run(command: str, folder: Path, home: Path) -> str:
    """What a command shows on a terminal once it has ended."""
    environment = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": "src",
        "TERM": "xterm-256color",
        "OMP_NUM_THREADS": "2",
    }
    program = pexpect.spawn(
        "bash",
        ["-c", command],
        cwd=folder,
        env=environment,
        dimensions=(50, WIDTH),
        timeout=300,
        encoding="utf-8",
    )
    program.expect(pexpect.EOF)
    program.close()
    shown = program.before or ""
    if program.exitstatus != 0:
        sys.exit(f"{command}: {shown}")
    return _settled(shown)


def _settled(shown: str) -> str:
    """The last state of each line: a progress bar draws over itself, and a spinner goes."""
    shown = re.sub(r"\x1b\[\?\d+[hl]", "", shown).replace("\r\n", "\n")
    shown = re.sub(r"[^\n]*\n\r\x1b\[1A\x1b\[2K", "", shown)
    shown = re.sub(r"\x1b\[\d*[A-K]", "", shown)
    lines = [line.rsplit("\r", 1)[-1] for line in shown.rstrip().split("\n")]
    return "\n".join(line for line in lines if line.strip())


if __name__ == "__main__":
    main()
