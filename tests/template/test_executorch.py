"""The export to ExecuTorch in an environment that has it: 1.6 GB that no other test needs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from .own_environment import python_with, requirements_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Render

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(render: Render) -> Path:
    """A repository that exports to ExecuTorch and to nothing else."""
    return render(package="digits", exports=["executorch"])


@pytest.fixture(scope="module")
def python(repository: Path) -> Path:
    """A Python with what this repository needs, ExecuTorch among it."""
    extras = requirements_of(repository, "train", "executorch")
    return python_with("executorch", [*extras, "pytest", "mypy", "types-tqdm"])


def run(python: Path, repository: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run a module there, and return what it printed."""
    result = subprocess.run(
        [str(python), "-m", *arguments],
        cwd=repository,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, f"{arguments}\n{result.stdout}{result.stderr}"
    return result.stdout


def test_the_generated_tests_of_the_export_pass_and_none_is_skipped(
    python: Path,
    repository: Path,
    environment: dict[str, str],
) -> None:
    printed = run(python, repository, environment, "pytest", "-q", "tests/test_export.py")
    assert " passed" in printed
    assert "skipped" not in printed


@pytest.mark.parametrize("backend", ["xnnpack", "portable"])
def test_the_digits_are_classified_as_before(
    backend: str,
    python: Path,
    repository: Path,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    runs = tmp_path / "run"
    train = ("digits.train", "--device=cpu", "--epochs=4", "--output-dir", str(runs))
    run(python, repository, environment, *train)

    out = tmp_path / "out"
    options = ("--checkpoint", str(runs / "best.pt"), "--out", str(out), "--backend", backend)
    printed = run(python, repository, environment, "digits.export", "executorch", *options)

    report = json.loads((out / "export.json").read_text())
    assert report["proved"]
    assert report["samples"] == 359
    metrics = report["metrics"]
    assert metrics["before"]["accuracy"] == metrics["after"]["accuracy"] > 0.9
    assert report["greatest_difference"] <= 1e-4
    assert set(report["batch_sizes"]) == {"1", "3", "7", "64"}
    assert f"backend: {backend}" in printed
