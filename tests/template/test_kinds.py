"""Every kind of module, under the shortest and the longest names, keeps what a kind promises."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Program, Render

ROOT = Path(__file__).resolve().parents[2]
KINDS = ROOT / "template" / "kinds"
FOLDERS = sorted(path.parent for path in KINDS.glob("*/kind.yml"))
PACKAGE = "a_package_of_thirty_characters"
# Letters that a class may be called; ruff finds I and O too much like digits.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
# Here and not in the kinds' own tests: those may not depend on the package's training.
DECAY = """
from torch import nn

from {package}.layers import {embedding}
from {package}.models import {transformer}
from {package}.training.optimizer import parameter_groups


def undecayed_tables(module: nn.Module) -> set[str]:
    names = {{parameter: name for name, parameter in module.named_parameters()}}
    return {{
        names[parameter]
        for group in parameter_groups(module, weight_decay=0.1)
        for parameter in group["params"]
        if group["weight_decay"] == 0 and parameter.ndim > 1
    }}


def test_embedding() -> None:
    assert undecayed_tables({embedding}(7, 4, max_length=6)) == {{"embedding"}}


def test_transformer() -> None:
    model = {transformer}(11, 8, num_heads=2, depth=2, max_length=6)
    assert undecayed_tables(model) == {{"token_embedding", "position_embedding"}}
"""


class Generated(NamedTuple):
    """A module of the rendered repository: its kind, its class and its two files."""

    kind: str
    name: str
    module: Path
    test: Path


def read(folder: Path) -> dict[str, Any]:
    """A kind's description of itself."""
    return dict(yaml.safe_load((folder / "kind.yml").read_text()))


def is_offered(folder: Path) -> bool:
    """Whether `new layer` or `new model` makes modules of this kind."""
    return bool(read(folder).get("offered", True))


def starters() -> list[dict[str, str]]:
    """The modules of a new repository."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text())
    default = jinja2.Template(questions["modules"]["default"]).render(task="digits")
    return list(yaml.safe_load(default))


def manifest() -> list[dict[str, str]]:
    """The starters, and each other kind under a name of 1 and one of 40 characters."""
    entries = starters()
    # A kind that is not offered stands for what older manifests name, or is a starter's alone.
    started = {entry["kind"] for entry in entries if not is_offered(KINDS / entry["kind"])}
    rendered = [folder for folder in FOLDERS if folder.name not in started]
    for letter, folder in zip(LETTERS, rendered, strict=False):
        kind, role = folder.name, read(folder)["role"]
        long = f"{kind.capitalize()}{'UnderANameOfFortyCharacters' * 2}"[:40]
        entries += [
            {"name": letter, "kind": kind, "role": role, "file": f"{letter.lower()}_{kind}"},
            {"name": long, "kind": kind, "role": role, "file": f"long_{kind}"},
        ]
    return entries


@pytest.fixture(scope="session")
def repository(render: Render) -> Path:
    """A repository that holds every kind."""
    return render(package=PACKAGE, modules=manifest())


@pytest.fixture(scope="session")
def generated(repository: Path) -> list[Generated]:
    """The modules of that repository."""
    return [
        Generated(
            entry["kind"],
            entry["name"],
            repository / "src" / PACKAGE / f"{entry['role']}s" / f"{entry['file']}.py",
            repository / "tests" / f"{entry['role']}s" / f"test_{entry['file']}.py",
        )
        for entry in manifest()
    ]


def test_the_names_are_the_shortest_and_the_longest_allowed() -> None:
    lengths = {len(entry["name"]) for entry in manifest()[len(starters()) :]}
    assert lengths == {1, 40}
    assert len(PACKAGE) == 30


def test_every_kind_is_rendered() -> None:
    assert {entry["kind"] for entry in manifest()} == {folder.name for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_kind_is_three_files_and_describes_itself(folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}
    assert files == {"kind.yml", "module.py.jinja", "test.py.jinja"}
    described = read(folder)
    assert described.keys() - {"offered"} == {"role", "description", "shows"}
    assert described["role"] in ("layer", "model")
    assert described.get("offered", True) in (True, False)
    for line in (described["description"], described["shows"]):
        assert re.fullmatch(r"[A-Z].{10,90}[^.\s]", line)


def test_a_module_is_one_public_class_in_a_short_file(generated: list[Generated]) -> None:
    for module in generated:
        text = module.module.read_text()
        definitions = [
            node.name
            for node in ast.parse(text).body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
        ]
        assert definitions == [module.name], module.kind
        assert 30 <= len(text.splitlines()) <= 170, module.kind


def test_a_test_file_is_one_contract_and_short(generated: list[Generated]) -> None:
    for module in generated:
        text = module.test.read_text()
        classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        assert classes == [f"Test{module.name}"], module.kind
        assert len(text.splitlines()) <= 170, module.kind


def test_files_end_in_one_newline(generated: list[Generated]) -> None:
    for module in generated:
        for path in (module.module, module.test):
            assert re.search(r"[^\n]\n\Z", path.read_text()), path


def test_a_module_needs_torch_alone(generated: list[Generated]) -> None:
    for module in generated:
        names = {name.partition(".")[0] for name, _ in imports(module.module)}
        assert names <= {"torch", "math", "typing", "collections"}, module.kind


def test_no_name_that_a_user_may_choose_is_taken(generated: list[Generated]) -> None:
    for module in generated:
        for path in (module.module, module.test):
            classes = {alias for _, alias in imports(path) if alias[0].isupper()} - {module.name}
            assert classes <= {"Tensor", "ModuleContract"}, path


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """The imports of a file, each as the module that it comes from and the name that it binds."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.asname or alias.name) for alias in node.names)


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache"),
        ("ruff", "format", "--check", "--no-cache"),
        pytest.param(("mypy",), marks=pytest.mark.slow),
        ("pytest", "-q", "--doctest-modules", "src"),
        pytest.param(("pytest", "-q", "tests/layers", "tests/models"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_repository_of_all_kinds_passes(
    repository: Path,
    program: Program,
    command: tuple[str, ...],
) -> None:
    # A check that is left out for want of a package would prove nothing of the kinds.
    assert "is not installed" not in program(repository, *command)


def test_statistics_of_one_process_are_all_that_a_kind_opts_out_of(
    generated: list[Generated],
) -> None:
    for module in generated:
        opt_outs = re.findall(r"opt_out\b.*", module.test.read_text())
        if module.kind == "norm":
            assert len(opt_outs) == 1
            assert opt_outs[0].startswith('opt_out = {"two_processes": "')
        else:
            assert not opt_outs, module.kind


def test_a_model_stays_whole_when_the_starting_layers_are_removed(
    render: Render,
    program: Program,
) -> None:
    models = [entry for entry in starters() if entry["role"] == "model"]
    repository = render(package="digits", modules=models)
    program(repository, "pytest", "-q", "-m", "not slow", "tests/models", "tests/test_manifest.py")


def test_an_entry_of_a_kind_by_its_former_name_renders_what_the_new_name_does(
    repository: Path,
    generated: list[Generated],
) -> None:
    def files(kind: str) -> list[list[str]]:
        made = [module for module in generated if module.kind == kind and len(module.name) > 1]
        return [
            [path.read_text().replace(module.name, "Name") for path in (module.module, module.test)]
            for module in made
        ]

    assert files("multihead") == files("multitask") != []


def test_embeddings_do_not_decay_and_maps_do(
    repository: Path,
    generated: list[Generated],
    program: Program,
    tmp_path: Path,
) -> None:
    names = {module.kind: module.name for module in generated}
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    (copy / "tests" / "test_decay.py").write_text(
        DECAY.format(
            package=PACKAGE, embedding=names["embedding"], transformer=names["transformer"]
        )
    )
    program(copy, "pytest", "-q", "tests/test_decay.py")


@pytest.mark.slow
def test_a_blank_layer_turns_green_when_its_mark_is_deleted(
    repository: Path,
    generated: list[Generated],
    program: Program,
    tmp_path: Path,
) -> None:
    blank = next(module for module in generated if module.kind == "blank")
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    module, test = (copy / path.relative_to(repository) for path in (blank.module, blank.test))
    body = re.sub(r"raise NotImplementedError\(.*\)", "return x * self.weight", module.read_text())
    module.write_text(body)
    relative = str(test.relative_to(copy))
    with pytest.raises(AssertionError, match="XPASS"):
        program(copy, "pytest", "-q", relative)
    marked = r"    # Delete these two lines .*\n    forward_marks = .*\n\n"
    text, deleted = re.subn(marked, "", test.read_text())
    assert deleted == 1
    test.write_text(text)
    assert "xfailed" not in program(copy, "pytest", "-q", relative)
    program(copy, "ruff", "check", "--no-cache", relative)
