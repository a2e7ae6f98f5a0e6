"""How much a generated repository weighs, and that one folder alone knows what is learned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Render

DOCUMENT = "docs/module-contract.md"
SUITE = "tests/module_contract/"
# What only the user's rooms may speak of; other senses of "class" and "label" are Python's and
# matplotlib's.
LEARNED = re.compile(
    r"\b(?:images?|digits?|labels|accuracy|confusion|num_classes|n_classes)\b|cross.entropy",
    re.IGNORECASE,
)
USERS = re.compile(r"src/\w+/(?:task|layers|models)/|tests/(?:layers|models)/|tests/test_task\.py")


def lines_of_files(repository: Path) -> dict[str, int]:
    """The repository's files, each with its number of lines."""
    files = (path for path in repository.rglob("*") if path.is_file())
    return {
        path.relative_to(repository).as_posix(): path.read_bytes().count(b"\n") for path in files
    }


def beside(weight: dict[str, int]) -> int:
    """The lines of what a repository's users read: neither the suite nor the page on its rules."""
    return sum(
        lines for name, lines in weight.items() if name != DOCUMENT and not name.startswith(SUITE)
    )


def test_a_repository_with_default_answers_is_light(render: Render) -> None:
    weight = lines_of_files(render())
    assert len(weight) <= 90
    assert beside(weight) <= 5_900
    # It grew by what it finds when a module runs: NN206 to NN209, NN303 and NN111; by what it
    # says of a module or of inputs that it cannot use; and by other precisions, and what torch's
    # own hooks compute.
    assert sum(lines for name, lines in weight.items() if name.startswith(SUITE)) <= 4_700


def test_a_repository_with_the_installed_suite_is_lighter(render: Render) -> None:
    weight = lines_of_files(render(contract="package"))
    assert len(weight) <= 75
    assert not [name for name in weight if name.startswith(SUITE)]
    assert beside(weight) <= 5_900


def test_a_minimal_repository_is_modules_suite_and_a_training_loop(render: Render) -> None:
    repository = render(profile="minimal")
    weight = lines_of_files(repository)
    assert len(weight) <= 50
    assert beside(weight) <= 1_500
    (package,) = (path for path in (repository / "src").iterdir() if path.is_dir())
    assert weight[f"src/{package.name}/train.py"] <= 150


@pytest.mark.parametrize("profile", ["standard", "minimal"])
def test_only_the_user_s_rooms_name_what_is_learned(render: Render, profile: str) -> None:
    everything = {
        "exports": ["onnx", "torch-export", "quantize", "prune", "aoti", "torchscript"],
        "fsdp": True,
        "server": True,
        "sweep": True,
        "activation_checkpointing": True,
        "before_0_4": True,
        "warm_start": True,
        "workers": True,
        "trackers": ["mlflow", "wandb"],
    }
    # The package and the project could be called after what is learned.
    names = {"package": "named", "project_name": "Named", "profile": profile}
    repository = render(**names, **(everything if profile == "standard" else {}))
    found = [
        f"{name}:{number}: {line.strip()}"
        for folder in ("src", "tests")
        for path in sorted((repository / folder).rglob("*.py"))
        if not USERS.match(name := path.relative_to(repository).as_posix())
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if LEARNED.search(line)
    ]
    assert found == []
