"""The words of this project are those of PyTorch's own documentation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READ = (
    "template",
    "scaffolder",
    "nnscaffold",
    "tools",
    "benchmarks",
    "README.md",
    "CONTRIBUTING.md",
    "copier.yml",
)
# Names that files of version 0.3 may have, and which still load.
OLD_SETTINGS = "/{% if before_0_4 %}old_names.py{% endif %}"


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"\btold\b(?! apart)|\btells? (?:you|the user)\b", "report, print"),
        (r"\bmend(?:s|ed|ing)?\b", "fix, hint"),
        (r"(?<!ARISING IN ANY )\bway out\b|\bway on\b", "hint, resume command"),
        (
            r"\b(?:is_zero|from_zero|to_the_end)\b|\bbehind\(",
            "is_main, run_on_main, fit, causes",
        ),
        (r"\btidy\b|\btidies\b", "prune"),
        (r"\bdamaged\b", "corrupt"),
        (
            r"\b(?:validation|test|warmup)_share\b|\bclip_norm\b",
            "fraction, ratio, max_grad_norm",
        ),
        (r"\bnum_chosen\b|\bstep_count\b", "top_k, num_batches_tracked"),
        (r"(?<!there )\bis no (?!longer\b|more\b|such\b)", "is not a"),
        (r"\bgoes before\b|\bgone on with\b", "overrides, resumed"),
        (r"\ba whole number\b", "an integer"),
    ],
)
def test_standard_terms_are_used(pattern: str, instead: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *READ], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        # Verdicts quote the lines of others.
        quotes = path.suffix in (".bundle", ".csv") or name.endswith(OLD_SETTINGS)
        if not path.is_file() or quotes:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(pattern, line, re.IGNORECASE):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == [], f"instead: {instead}"
