"""The cache: nothing is done twice, and nothing old is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check import analysis, cache, encoding
from nnscaffold.check.analysis import File, Source
from nnscaffold.check.finding import Edit, Fix, Span
from nnscaffold.check.session import Request, Result, check
from nnscaffold.check.sources import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]


MARK = "out of the cache: "


def run(*paths: str, **options: Any) -> Result:
    return check(Request(paths or (".",), **options))


def searched(folder: Path, *paths: str, **options: Any) -> list[str]:
    """Check again; the files with findings that did not come out of the cache in a folder."""
    for file in folder.rglob("check-*.json"):
        document = json.loads(file.read_text())
        for entry in document["entries"].values():
            for tree, text in entry["findings"].items():
                found = [[code, span, MARK, *rest] for code, span, _, *rest in json.loads(text)]
                entry["findings"][tree] = json.dumps(found)
        file.write_text(json.dumps(document))
    found = run(*paths, **options).report.findings
    return [each.path for each in found if each.message != MARK]


def test_what_has_not_changed_is_not_looked_at_again(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net, "b.py": net, "bad.py": "def f(:\n"})
    first = run()
    assert [each.path for each in first.report.findings] == ["a.py", "b.py"]
    assert run() == first
    assert searched(root) == []
    (root / "a.py").write_text(net + "\n")
    assert searched(root) == ["a.py"]


def test_summaries_of_files_that_have_not_changed_are_kept(tree: Tree, net: str) -> None:
    base = "from torch import nn\nclass Base(nn.Module): ...\n"
    derived = net.replace("nn.Module", "Base").replace("\n", "\nfrom base import Base\n", 1)
    root = tree({"pyproject.toml": "", "base.py": base, "net.py": derived})
    assert len(run().report.findings) == 1
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    document = json.loads(file.read_text())
    kept = document["entries"]["base.py"]
    kept["summary"] = kept["summary"].replace("torch.nn.Module", "object")
    file.write_text(json.dumps(document))
    (root / "new.py").write_text("")  # so that the summaries are put together again
    assert run().report.findings == ()


def test_findings_depend_on_the_other_files(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net, "b.py": net})
    run()
    (root / "c.py").write_text("class Other: ...\n")
    assert searched(root) == ["a.py", "b.py"]
    assert searched(root, "a.py") == ["a.py"]
    for paths in ((".",), ("a.py",)):  # neither drove the other out
        assert searched(root, *paths) == []


def test_settings_that_choose_among_findings_cost_nothing(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    assert run(select=("NN404",)).report.findings == ()
    assert searched(root) == []
    assert len(run().report.findings) == 1


def test_paths_are_shown_as_they_are_named_now(
    tree: Tree, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree({"pyproject.toml": "", "s/a.py": net})
    run("s")
    monkeypatch.chdir(root / "s")
    assert searched(root, ".") == []
    assert [each.path for each in run(".").report.findings] == ["a.py"]


def test_module_roots_belong_to_the_key(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    run()
    (root / "pyproject.toml").write_text('[tool.nnscaffold.check]\nmodule-roots = ["x.Base"]\n')
    assert searched(root) == ["a.py"]


def test_the_folder_says_itself_that_it_is_a_cache(tree: Tree) -> None:
    root = tree({"pyproject.toml": "", "s/a.py": ""})
    run("s")
    folder = root / ".nnscaffold_cache"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f068")
    assert len(list(folder.glob("check-*.json"))) == 1


def test_it_can_be_elsewhere_or_not_at_all(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tree({"pyproject.toml": "", "a.py": ""})
    run(use_cache=False)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "caches"))
    run()
    assert not (root / ".nnscaffold_cache").exists()
    assert list((tmp_path / "caches" / "nnscaffold-check").glob("check-*.json"))


def test_what_is_nobodys_project_is_cached_at_home(tree: Tree, net: str, home: Path) -> None:
    root = tree({"a.py": net})
    run()
    assert searched(home) == []
    assert [path.name for path in root.iterdir()] == ["a.py"]
    assert list((home / ".cache" / "nnscaffold").glob("check-*.json"))


def test_checks_at_once_do_not_disturb_each_other(tree: Tree, net: str) -> None:
    root = tree(
        {"pyproject.toml": "", **{f"m{n}.py": f"x = {n}  # noqa: NN103\n" for n in range(30)}}
    )
    command = [sys.executable, "-m", "scaffolder", "check", "--json"]
    both = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    shown = {process.communicate()[0] for process in both}
    assert len(shown) == 1
    assert len(json.loads(shown.pop())["result"]["findings"]) == 30
    assert len(list((root / ".nnscaffold_cache").iterdir())) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"entries": {"a.py": {"digest": 3}}, "trees": {}}',
        b'{"entries": {"a.py": []}, "trees": {}}',
        b"[" * 100_000,
    ],
)
def test_a_corrupt_cache_is_no_cache(tree: Tree, net: str, data: bytes) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    first = run()
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    file.write_bytes(data)
    assert run() == first
    assert searched(root) == []


def test_parts_that_were_tampered_with_are_not_believed(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    first = run()
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    text = file.read_text()
    for part, instead in (
        ("nnscaffold.check.index:Summary", "os:system"),
        ("NN103", "NN000"),
        ('"trees":{', '"trees":{"a":3,'),
    ):
        assert part in text
        file.write_text(text.replace(part, instead))
        assert run() == first


@pytest.mark.parametrize(
    ("field", "value"), [("imports", None), ("summary", 5), ("summary", "5"), ("module", [])]
)
def test_a_field_of_another_type_makes_no_cache(
    tree: Tree, net: str, field: str, value: object
) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    first = run()
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    kept = json.loads(file.read_text())
    for entry in kept["entries"].values():
        entry[field] = value
    kept["trees"] = {}
    file.write_text(json.dumps(kept))
    assert run() == first


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    tree: Tree, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree({"a.py": net})
    monkeypatch.setenv(cache.VARIABLE, "/proc/nothing")  # not even by root
    assert len(run().report.findings) == 1


def test_a_file_in_its_place_is_no_obstacle(tree: Tree, net: str) -> None:
    tree({"pyproject.toml": "", "a.py": net, ".nnscaffold_cache": ""})
    assert len(run().report.findings) == 1


def test_a_link_in_its_place_is_not_written_through(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net, "victim": "mine"})
    run()
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    file.unlink()
    file.symlink_to(root / "victim")
    run()
    assert (root / "victim").read_text() == "mine"
    assert not file.is_symlink()
    assert searched(root) == []


def test_a_pipe_in_its_place_is_no_obstacle(tree: Tree, net: str) -> None:
    root = tree({"pyproject.toml": "", "a.py": net})
    command = [sys.executable, "-m", "scaffolder", "check"]
    first = subprocess.run(command, cwd=root, capture_output=True, check=False)
    (file,) = (root / ".nnscaffold_cache").glob("check-*.json")
    file.unlink()
    os.mkfifo(file)
    again = subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=60)
    assert (again.returncode, again.stdout) == (first.returncode, first.stdout)


def test_what_nobody_uses_is_removed(tree: Tree) -> None:
    root = tree({"pyproject.toml": "", "a.py": "", "b.py": ""})
    run()
    folder = root / ".nnscaffold_cache"
    month = time.time() - 40 * 24 * 3600
    for name in ("check-0.json", ".nnscaffold-0123456789abcdef"):  # the second was interrupted
        (folder / name).write_text("")
        os.utime(folder / name, (month, month))
    (root / "b.py").unlink()
    run()
    (file,) = folder.glob("check-*.json")
    assert {path.name for path in folder.iterdir()} == {".gitignore", "CACHEDIR.TAG", file.name}
    assert '"b.py"' not in file.read_text()


def test_summaries_of_the_real_analysis_can_be_kept() -> None:
    text = (
        "from torch import nn\nimport a.b as c\n\nclass Net(nn.Module):\n    x: int = 1\n"
        "    def forward(self, x, *, y=None):\n        return self.f(x)\n\n"
        "def f(model):\n    return model(1)\n\nclass Sub(Net, c.D):\n    pass\n"
    )
    summary = analysis.summarise(File(Source("pkg/m.py", "pkg.m", text), parse(text)))
    assert cache.decode_summary(cache.encode_summary(summary)) == summary


def test_values_survive() -> None:
    value = {
        "a": (1, None, True, 2.5, "é"),
        ("k", 1): [frozenset({"x", "y"}), {1, 2}, ()],
        "fix": Fix("Do", (Edit(Span(1, 0, 1, 2), "x"),), ("k.*",)),
    }
    assert encoding.decode(encoding.encode(value)) == value


def test_only_this_packages_dataclasses_are_built() -> None:
    @dataclass
    class Foreign:
        x: int

    for value in (Foreign(1), object(), b"bytes"):
        with pytest.raises(TypeError):
            encoding.encode(value)
    for encoded in (
        ["os:system", "true"],
        ["nnscaffold.check.cache:open_cache", 1],
        ["nnscaffold.check.missing:X"],
        ["nnscaffold.check.finding:Span", 1],
        ["nnscaffold.check.cache:os.system", "true"],
        [[], 1],
        [],
        [3],
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            encoding.decode(encoded)
