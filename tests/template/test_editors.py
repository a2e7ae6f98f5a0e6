"""What the repository tells editors: files that they can read, and programs that exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Render


@pytest.fixture(scope="module")
def root(render: Render) -> Path:
    """A repository that says something to editors."""
    return render(package="digits", devcontainer=True)


def load(root: Path, name: str) -> dict[str, Any]:
    """Read one of the files; plain JSON, though VS Code would take comments."""
    text = (root / ".vscode" / f"{name}.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def test_every_launch_entry_starts_what_there_is(root: Path) -> None:
    launch = load(root, "launch")
    inputs = {entry["id"] for entry in launch["inputs"]}

    for entry in launch["configurations"]:
        module = root / "src" / entry["module"].replace(".", "/")
        assert entry["module"] == "pytest" or module.with_suffix(".py").is_file(), entry["name"]
        for argument in entry["args"]:
            if argument.startswith("configs/"):
                assert (root / argument).is_file()
            _, given, name = argument.partition("${input:")
            assert not given or name.partition("}")[0] in inputs


def test_training_can_be_debugged_in_one_process(root: Path) -> None:
    (train,) = (
        entry
        for entry in load(root, "launch")["configurations"]
        if entry["module"].endswith(".train")
    )

    assert train["type"] == "debugpy"
    assert train["justMyCode"] is True
    assert train["args"][-2:] == ["--device", "cpu"]


def test_the_settings_need_the_recommended_extensions(root: Path) -> None:
    recommended = load(root, "extensions")["recommendations"]

    assert load(root, "settings")["[python]"]["editor.defaultFormatter"] in recommended
