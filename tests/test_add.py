"""`nnscaffold new layer`: a module in a repository, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from scaffolder.add import add_module, offered_kinds
from scaffolder.errors import BadInput
from scaffolder.git import git
from scaffolder.project import ANSWERS_FILE, read_project

INDEX = "src/digits/layers/__init__.py"


def changed(repository: Path) -> list[str]:
    lines = git("status", "--porcelain", "-uall", cwd=repository).splitlines()
    return sorted(line[3:] for line in lines)


def test_a_layer_brings_its_file_its_test_and_its_lines(repository: Path) -> None:
    add_module(repository, "GatedMap", "layer", kind="linear")
    assert changed(repository) == [
        ANSWERS_FILE,
        INDEX,
        "src/digits/layers/gated_map.py",
        "tests/layers/test_gated_map.py",
    ]
    assert git("diff", "--numstat", cwd=repository).split() == [
        *("1", "0", ANSWERS_FILE),
        *("1", "0", INDEX),
    ]
    assert "class GatedMap(" in (repository / "src/digits/layers/gated_map.py").read_text()


def test_a_model_goes_among_the_models(repository: Path) -> None:
    add_module(repository, "Baseline", "model", kind="mlp")
    assert "src/digits/models/baseline.py" in changed(repository)


def test_it_works_from_a_folder_deep_inside(repository: Path) -> None:
    add_module(repository / "src" / "digits" / "layers", "GatedMap", "layer", kind="linear")
    assert (repository / "src/digits/layers/gated_map.py").is_file()


def test_the_manifest_reads_back_what_was_added(repository: Path) -> None:
    addition = add_module(repository, "GatedMap", "layer", kind="linear")
    assert read_project(repository).modules[-1] == addition.module


def test_a_manifest_of_nothing_takes_a_first_module(repository: Path) -> None:
    answers = repository / ANSWERS_FILE
    head = answers.read_text().partition("modules:")[0]
    answers.write_text(f"{head}modules: []\n")
    add_module(repository, "GatedMap", "layer", kind="linear")
    assert [module.name for module in read_project(repository).modules] == ["GatedMap"]


@pytest.mark.parametrize(
    "style", ["modules: [{entry}]", "modules:\n  - {entry}", "modules: [] # x"]
)
def test_a_manifest_in_another_style_is_refused_rather_than_broken(
    repository: Path, style: str
) -> None:
    answers = repository / ANSWERS_FILE
    head, _, tail = answers.read_text().partition("modules:")
    entry = tail.splitlines()[1].removeprefix("- ")
    answers.write_text(f"{head}{style.replace('{entry}', entry)}\n")
    before = changed(repository)
    with pytest.raises(BadInput, match="one line a module"):
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert changed(repository) == before


def test_a_corrupt_store_is_made_again(repository: Path, home: Path) -> None:
    store = home / ".nnscaffold" / "template.bundle"
    store.write_bytes(store.read_bytes()[:-100])
    shutil.rmtree(home / ".nnscaffold" / "checkouts")
    add_module(repository, "GatedMap", "layer", kind="linear")
    assert store.with_suffix(".bundle.corrupt").is_file()


def test_an_index_that_is_a_link_is_left_alone(repository: Path) -> None:
    index = repository / INDEX
    index.rename(repository / "index.py")
    index.symlink_to(repository / "index.py")
    with pytest.raises(BadInput, match="over a link"):
        add_module(repository, "GatedMap", "layer", kind="linear")


def test_the_store_is_safe_from_a_home_that_has_answers_of_its_own(home: Path) -> None:
    (home / ANSWERS_FILE).write_text("_commit: v1\n_src_path: gh:ada/dotfiles\n")
    with pytest.raises(BadInput, match="no list `modules`"):
        add_module(home, "GatedMap", "layer", kind="linear")
    assert (home / ".nnscaffold" / "template.bundle").is_file()


def test_lines_written_by_hand_around_the_index_stay(repository: Path) -> None:
    index = repository / INDEX
    by_hand = index.read_text() + "\nfrom .mine import Mine as Mine"
    index.write_text(by_hand)
    add_module(repository, "GatedMap", "layer", kind="linear")
    lines = index.read_text().splitlines()
    assert lines[-1] == "from .mine import Mine as Mine"
    added = lines.index("from .gated_map import GatedMap as GatedMap")
    assert lines[added - 1].startswith("from .")
    assert set(by_hand.splitlines()) < set(lines)


def test_an_index_without_any_generated_line_gets_the_new_one(repository: Path) -> None:
    (repository / INDEX).write_text("VERSION = 1")
    add_module(repository, "GatedMap", "layer", kind="linear")
    text = (repository / INDEX).read_text()
    assert text == "VERSION = 1\nfrom .gated_map import GatedMap as GatedMap\n"


@pytest.mark.parametrize(
    "path", ["src/digits/layers/gated_map.py", "tests/layers/test_gated_map.py"]
)
def test_nothing_is_overwritten(repository: Path, path: str) -> None:
    (repository / path).write_text("mine\n")
    with pytest.raises(BadInput, match="is not overwritten"):
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert changed(repository) == [path]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("ConvBlock", "linear", "name-taken"),
        ("Convblock", "linear", "name-taken"),
        ("Linear", "linear", "name-invalid"),
        ("GatedMap", "linaer", "kind-unknown"),
        ("GatedMap", "mlp", "kind-unknown"),
        ("GatedMap", "digits", "kind-unknown"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    repository: Path, name: str, kind: str, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        add_module(repository, name, "layer", kind=kind)
    assert refused.value.code == code
    assert changed(repository) == []


def test_a_dry_run_says_what_a_real_one_does(repository: Path) -> None:
    shown = add_module(repository, "GatedMap", "layer", kind="linear", dry_run=True)
    assert changed(repository) == []
    assert add_module(repository, "GatedMap", "layer", kind="linear") == shown
    for change in shown.changes:
        assert (repository / change.path).read_text() == change.after


def test_a_full_disk_leaves_the_repository_as_it_was(repository: Path, small_disk: Path) -> None:
    git("clone", "-q", str(repository), str(small_disk / "digits"))
    with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(Exception, match="No space left"):
        add_module(small_disk / "digits", "GatedMap", "layer", kind="linear")
    (small_disk / "ballast").unlink()
    assert changed(small_disk / "digits") == []


def test_commands_at_once_all_get_their_module_in(repository: Path) -> None:
    names = [f"Gate{letter}" for letter in "ABCDE"]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "scaffolder", "new", "layer", name, "-q"], cwd=repository
        )
        for name in names
    ]
    assert [process.wait(300) for process in running] == [0] * len(names)
    assert {module.name for module in read_project(repository).modules} >= set(names)


def test_two_branches_that_each_add_a_layer_merge(repository: Path) -> None:
    git("checkout", "-q", "-b", "other", cwd=repository)
    add_module(repository, "GateB", "layer", kind="linear")
    git("add", "-A", cwd=repository)
    git("commit", "-q", "-m", "b", cwd=repository)
    git("checkout", "-q", "-", cwd=repository)
    git("checkout", "-q", "-B", "mine", "HEAD", cwd=repository)
    add_module(repository, "GateA", "layer", kind="attention")
    git("add", "-A", cwd=repository)
    git("commit", "-q", "-m", "a", cwd=repository)
    git("merge", "-q", "-m", "both", "other", cwd=repository)
    assert {"GateA", "GateB"} <= {module.name for module in read_project(repository).modules}
    index = (repository / INDEX).read_text()
    assert index.count("GateA as GateA") == index.count("GateB as GateB") == 1


def test_a_kind_is_a_folder_of_the_template_and_nothing_else(
    repository: Path, tmp_path: Path
) -> None:
    team = team_template(tmp_path, repository)
    kind = team / "template" / "kinds" / "house"
    kind.mkdir()
    (kind / "kind.yml").write_text("role: layer\ndescription: Ours.\nshows: Our way.\n")
    (kind / "module.py.jinja").write_text('"""{{ module.name }} of {{ package }}."""\n')
    (kind / "test.py.jinja").write_text('"""Tests of {{ module.name }}."""\n')
    tag_template(team, repository, "v7.0.0")
    assert "house" in [kind.name for kind in offered_kinds(repository)]
    add_module(repository, "Porch", "layer", kind="house")
    text = (repository / "src/digits/layers/porch.py").read_text()
    assert text == '"""Porch of digits."""\n'


def team_template(tmp_path: Path, repository: Path) -> Path:
    """A team's own copy of the template, as a git repository."""
    bundle = Path.home() / ".nnscaffold" / "template.bundle"
    version = read_project(repository).version
    git("clone", "-q", str(bundle), str(tmp_path / "team"))
    git("checkout", "-q", "-b", "team", version, cwd=tmp_path / "team")
    return tmp_path / "team"


def tag_template(team: Path, repository: Path, version: str) -> None:
    """Commit and tag a team's template, and say that a repository was made from it."""
    git("add", "-A", cwd=team)
    git("commit", "-q", "-m", version, cwd=team)
    git("tag", version, cwd=team)
    answers = repository / ANSWERS_FILE
    project = read_project(repository)
    text = answers.read_text().replace(project.version, version, 1)
    answers.write_text(text.replace(project.source, str(team), 1))


def test_a_version_that_this_machine_lacks_is_named(repository: Path) -> None:
    answers = repository / ANSWERS_FILE
    version = read_project(repository).version
    answers.write_text(answers.read_text().replace(version, "v99.0.0", 1))
    with pytest.raises(BadInput, match=r"v99\.0\.0") as refused:
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert "Upgrade nnscaffold" in refused.value.hint


@pytest.mark.parametrize("version", ["--upload-pack=touch ran", "", "v0 .1", "$(touch ran)"])
def test_a_version_that_is_an_option_or_a_command_is_refused(
    repository: Path, version: str
) -> None:
    answers = repository / ANSWERS_FILE
    present = read_project(repository).version
    answers.write_text(answers.read_text().replace(present, version, 1))
    with pytest.raises(BadInput, match="is not available"):
        add_module(repository, "GatedMap", "layer", kind="linear")


@pytest.mark.parametrize("folder", ["src/digits/layers", "tests"])
def test_a_linked_folder_leads_no_file_out_of_the_repository(
    repository: Path, tmp_path: Path, folder: str
) -> None:
    (repository / folder).rename(tmp_path / "outside")
    (repository / folder).symlink_to(tmp_path / "outside")
    before = sorted((tmp_path / "outside").rglob("*"))
    with pytest.raises(BadInput) as refused:
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert refused.value.code == "place-refused"
    assert sorted((tmp_path / "outside").rglob("*")) == before


def test_a_template_writes_nothing_into_gits_own_folder(repository: Path, tmp_path: Path) -> None:
    team = team_template(tmp_path, repository)
    (source,) = team.glob("template/project/src/*/layers/*yield*")
    folder = team / "template" / "project" / "{{ '.git' }}"
    folder.mkdir()
    (folder / source.name).write_text("x")
    tag_template(team, repository, "v7.0.0")
    with pytest.raises(BadInput) as refused:
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert refused.value.code in ("place-refused", "template-unsupported")
    assert changed(repository) == [ANSWERS_FILE]


def test_a_checkout_that_lost_a_file_does_not_matter(repository: Path, home: Path) -> None:
    for file in (home / ".nnscaffold" / "checkouts").rglob("*yield*"):
        if "src" in file.parts:
            file.unlink()
    assert len(add_module(repository, "GatedMap", "layer", kind="linear").changes) == 4


def test_a_template_that_makes_no_module_adds_no_half_of_one(
    repository: Path, tmp_path: Path
) -> None:
    team = team_template(tmp_path, repository)
    for file in team.glob("template/project/src/*/layers/*yield*"):
        file.unlink()
    tag_template(team, repository, "v7.0.0")
    with pytest.raises(BadInput, match=r"no file gated_map\.py"):
        add_module(repository, "GatedMap", "layer", kind="linear")
    assert changed(repository) == [ANSWERS_FILE]
