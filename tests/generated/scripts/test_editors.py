"""What the repository tells editors: files that they can read, and programs that exist."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".vscode"


def load(name: str) -> dict[str, Any]:
    """Read one of the files; plain JSON, though VS Code would take comments."""
    values: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("name", ["extensions.json", "launch.json", "settings.json"])
def test_every_file_is_plain_json(name: str) -> None:
    assert load(name)


def test_every_launch_entry_starts_what_there_is() -> None:
    launch = load("launch.json")
    inputs = {entry["id"] for entry in launch["inputs"]}

    for entry in launch["configurations"]:
        assert importlib.util.find_spec(entry["module"]) is not None, entry["name"]
        for argument in entry["args"]:
            if argument.startswith("configs/"):
                assert (ROOT / argument).is_file()
            _, given, name = argument.partition("${input:")
            assert not given or name.partition("}")[0] in inputs


def test_training_can_be_debugged_in_one_process() -> None:
    (train,) = (
        entry
        for entry in load("launch.json")["configurations"]
        if entry["module"].endswith(".train")
    )

    assert train["type"] == "debugpy"
    assert train["justMyCode"] is True
    assert train["args"][-2:] == ["--device", "cpu"]


def test_the_settings_need_the_recommended_extensions() -> None:
    recommended = load("extensions.json")["recommendations"]

    assert load("settings.json")["[python]"]["editor.defaultFormatter"] in recommended
