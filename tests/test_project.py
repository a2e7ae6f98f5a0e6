"""Finding a generated repository and reading its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaffolder.errors import BadInput
from scaffolder.project import ANSWERS_FILE, find_root, read_project, require_root

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = '- {"name": "Gate", "kind": "linear", "role": "layer", "file": "gate"}'
HEAD = "_commit: v0.1.0\n_src_path: ~/x.bundle\n"


def answers(root: Path, text: str) -> Path:
    (root / ANSWERS_FILE).write_text(text, encoding="utf-8")
    return root


def test_a_repository_is_found_from_any_folder_in_it(tmp_path: Path) -> None:
    deep = answers(tmp_path, HEAD) / "src" / "package"
    deep.mkdir(parents=True)
    assert find_root(deep) == require_root(deep) == tmp_path


def test_elsewhere_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nnscaffold new project") as refused:
        require_root(tmp_path)
    assert find_root(tmp_path) is None
    assert refused.value.code == "not-a-repository"


def test_answers_and_manifest_are_read(tmp_path: Path) -> None:
    project = read_project(answers(tmp_path, f"{HEAD}package: digits\nmodules:\n{ENTRY}\n"))
    assert (project.source, project.version) == ("~/x.bundle", "v0.1.0")
    assert [module.name for module in project.modules] == ["Gate"]


def test_a_manifest_may_be_empty(tmp_path: Path) -> None:
    assert read_project(answers(tmp_path, f"{HEAD}modules: []\n")).modules == []


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        (
            "_commit: v0.1.0\n" + HEAD + "modules: []\n",
            "answers-invalid",
            "'_commit' is there twice",
        ),
        ("modules: []\n", "answers-invalid", "_src_path"),
        (HEAD, "answers-invalid", "no list `modules`"),
        (f"{HEAD}modules: [\n", "answers-invalid", "line"),
        (f"{HEAD}modules:\n{ENTRY}\n{ENTRY}\n", "manifest-duplicate", "share a name"),
        (
            f"{HEAD}modules:\n{ENTRY}\n{ENTRY.replace('Gate', 'GATE')}\n",
            "manifest-duplicate",
            "share a name",
        ),
        (f"{HEAD}modules:\n- {{name: Gate}}\n", "manifest-invalid", "Gate"),
        (f"{HEAD}modules:\n- 3\n", "manifest-invalid", "3"),
        (f"{HEAD}modules:\n{ENTRY.replace('layer', 'evil')}\n", "manifest-invalid", "evil"),
        (f"{HEAD}modules:\n{ENTRY.replace('gate', '../gate')}\n", "manifest-invalid", "../gate"),
        (f"{HEAD}modules:\n{ENTRY.replace('Gate', 'os.system')}\n", "manifest-invalid", "os"),
        (f"{HEAD}? [a, b]\n: c\nmodules: []\n", "answers-invalid", "unhashable"),
        (f"{HEAD}day: 2026-99-99\nmodules: []\n", "answers-invalid", "month"),
    ],
)
def test_what_a_bad_merge_leaves_is_refused(
    tmp_path: Path, text: str, code: str, sentence: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read_project(answers(tmp_path, text))
    assert refused.value.code == code
    assert sentence in refused.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ANSWERS_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        read_project(tmp_path)
