"""A generated repository, byte for byte, so that a change of the template shows in review."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_generated_repository_is_the_one_that_was_reviewed(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("snapshot", ROOT / "tools" / "snapshot.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.render(tmp_path / "made")
    reviewed, made = read(tool.SNAPSHOT), read(tmp_path / "made")
    differences = [
        line
        for name in sorted(reviewed.keys() | made.keys())
        for line in difflib.unified_diff(
            reviewed.get(name, b"").decode().splitlines(),
            made.get(name, b"").decode().splitlines(),
            f"reviewed/{name}",
            f"made/{name}",
            lineterm="",
        )
    ]
    assert not differences, "\n".join([*differences[:200], "If it is right: make snapshot"])
    assert reviewed == made


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
