"""Make a repository from the template as it stands, and run the repository's own tests.

Usage: python tools/generated_suite.py '{"ANSWER": VALUE}' [PYTEST OPTION]...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a program needs of the machine; all else could be the user's taste and stays out.
KEPT = ("PATH", "LANG", "TMPDIR", "OMP_NUM_THREADS")


def main() -> None:
    """Run the tests; exit as pytest does."""
    if len(sys.argv) < 2:
        sys.exit((__doc__ or "").strip())
    answers, options = json.loads(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="nnscaffold-suite-") as scratch:
        home, repository = Path(scratch, "home"), Path(scratch, "repository")
        home.mkdir()
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
        # JSON is YAML, so that any answer can be given so.
        given = [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in answers.items()
        ]
        new = ["-m", "scaffolder", "new", "project", str(repository), "--defaults", "--quiet"]
        subprocess.run(
            [sys.executable, *new, *(part for answer in given for part in ("-d", answer))],
            env=environment | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
            cwd=repository,
            env=environment | {"PYTHONPATH": "src"},
            check=False,
        )
    sys.exit(tests.returncode)


if __name__ == "__main__":
    main()
