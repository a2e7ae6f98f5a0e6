"""One module by Jinja2 alone: byte for byte what Copier renders, or left to Copier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from scaffolder.add import offered_kinds
from scaffolder.checkout import template_checkout
from scaffolder.create import create_project
from scaffolder.errors import BadInput, ScaffoldError
from scaffolder.git import git
from scaffolder.project import Project, read_project
from scaffolder.render.module import NeedsCopier, Rendered, render_module
from scaffolder.render.repository import render_module_by_copier, render_repository
from scaffolder.spec import ModuleSpec, specify

GATE = ModuleSpec("Gate", "linear", "layer", "gate")
MIX = ModuleSpec("Mix", "linear", "layer", "mix")
LOOP = (
    '{% yield module from modules | selectattr("role", "equalto", "layer") %}'
    "{{ module.file }}{% endyield %}"
)
LIST = "{% for module in modules %}{{ module.name }} {% endfor %}"
SMALL_TEMPLATE = {
    "copier.yml": "_subdirectory: project\npackage: {type: str}\nmodules: {type: yaml}\n",
    "project/{{ _copier_conf.answers_file }}.jinja": (
        "{{ _copier_answers | to_json }} {{ modules }}"
    ),
    "project/{{ package }}/list.txt.jinja": LIST,
    f"project/{{{{ package }}}}/{LOOP}.py.jinja": (
        "{% include 'kinds/' ~ module.kind ~ '/module.jinja' -%}\n"
    ),
    "kinds/linear/module.jinja": "class {{ module.name }}:  # of {{ package }}\n",
}
NEW = {"digits/gate.py": "class Gate:  # of digits\n"}
CHANGED = {"digits/list.txt": ("Mix ", "Mix Gate ")}
BOTH_LISTS = CHANGED | {"also.txt": ("Mix ", "Mix Gate ")}


class SmallTemplate:
    """A team's template with few files, and a repository with one layer that it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        git("init", "-q", cwd=folder)
        for name, text in SMALL_TEMPLATE.items():
            self.write(name, text)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def project(self, **answers: Any) -> Project:
        git("add", "-A", cwd=self.folder)
        git("commit", "-q", "-m", "one", cwd=self.folder)
        git("tag", "v1.0.0", cwd=self.folder)
        recorded = {"_src_path": str(self.folder), "_commit": "v1.0.0", "package": "digits"}
        recorded |= {"modules": [MIX.to_entry()]} | answers
        return Project(self.folder.parent / "digits", recorded, [MIX])


@pytest.fixture
def template(tmp_path: Path) -> SmallTemplate:
    return SmallTemplate(tmp_path / "team")


def by_jinja(project: Project) -> Rendered:
    return render_module(template_checkout(project.source, project.version), project, GATE)


def as_posix(texts: dict[str, Any]) -> dict[PurePosixPath, Any]:
    return {PurePosixPath(name): text for name, text in texts.items()}


def test_every_kind_comes_out_as_copier_renders_it(repository: Path, tmp_path: Path) -> None:
    """All kinds go into one repository by Jinja2, and into another by one run of Copier."""
    project = read_project(repository)
    template = template_checkout(project.source, project.version)
    by_jinja: dict[str, str] = {}
    modules = list(project.modules)
    for number, kind in enumerate(offered_kinds(repository)):
        name = f"Sample{number}"
        module = specify(name, kind.name, kind.role, modules)  # type: ignore[arg-type]
        rendered = render_module(template, project._replace(modules=modules), module)
        by_jinja |= {str(path): text for path, text in rendered.new.items()}
        by_jinja |= {str(path): after for path, (_, after) in rendered.changed.items()}
        modules.append(module)
    answers = {key: value for key, value in project.answers.items() if key[0] != "_"}
    answers["modules"] = [module.to_entry() for module in modules]
    by_copier = tmp_path / "by-copier"
    render_repository(project.source, project.version, by_copier, answers)
    assert len(by_jinja) == 2 * len(offered_kinds(repository)) + 2
    for name, text in by_jinja.items():
        assert (by_copier / name).read_bytes() == text.encode(), name


def test_free_text_comes_out_as_copier_renders_it(tmp_path: Path, home: Path) -> None:
    nasty = {"description": 'x"""y {{ 7*7 }} \\n {% raw %} 🎉', "author_name": 'O\'Neil "N"'}
    project = read_project(create_project(tmp_path / "digits", nasty).path)
    module = specify("Gate", "linear", "layer", project.modules)
    template = template_checkout(project.source, project.version)
    assert render_module(template, project, module) == render_module_by_copier(project, module)


@pytest.mark.parametrize(
    ("files", "new", "changed"),
    [
        pytest.param({}, NEW, CHANGED, id="nothing else"),
        pytest.param(
            {"project/also.txt.jinja": "{% include 'list' %}", "list": LIST},
            NEW,
            BOTH_LISTS,
            id="list through an include",
        ),
        pytest.param(
            {"project/{% if package == 'x' %}x{% endif %}/also.txt.jinja": LIST},
            NEW,
            CHANGED,
            id="skipped folder",
        ),
        pytest.param(
            {"project/notes.md": "modules", "project/a.txt.jinja": "the modules of {{ package }}"},
            NEW,
            CHANGED,
            id="modules in prose",
        ),
    ],
)
def test_a_plain_template_comes_out_as_copier_renders_it(
    template: SmallTemplate,
    files: dict[str, str],
    new: dict[str, str],
    changed: dict[str, tuple[str, str]],
) -> None:
    for name, text in files.items():
        template.write(name, text)
    project = template.project()
    expected = Rendered(as_posix(new), as_posix(changed))
    assert by_jinja(project) == render_module_by_copier(project, GATE) == expected


@pytest.mark.parametrize(
    ("files", "new", "changed"),
    [
        pytest.param(
            {f"project/{LOOP}.txt": "plain\r\n"},
            {"gate.txt": "plain\r\n"},
            {},
            id="module's file without suffix",
        ),
        pytest.param(
            {
                "project/only/{% yield module from modules %}{% if module.role == 'model' %}"
                "{{ module.file }}{% endif %}{% endyield %}.jinja": ""
            },
            {},
            {},
            id="name that is empty",
        ),
        pytest.param(
            {"project/{% yield m from modules %}{{ m.file }}{% endyield %}.jinja": "{{ m.name }}"},
            {"gate": "Gate"},
            {},
            id="another loop variable",
        ),
        pytest.param(
            {"project/also.txt.jinja": LIST + "{{ _copier_answers.nothing }}"},
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="copier's own variables",
        ),
        pytest.param(
            {"project/also.txt.jinja": LIST + "{{ pathjoin('a', 'b') }}"},
            {},
            {"also.txt": ("Mix a/b", "Mix Gate a/b")},
            id="copier's own function",
        ),
        pytest.param(
            {
                "project/{% yield module from modules | rejectattr('name', 'equalto', package) %}"
                "{{ module.file }}{% endyield %}.txt.jinja": "x"
            },
            {"gate.txt": "x"},
            {},
            id="loop with another answer",
        ),
        pytest.param(
            {
                "project/{% yield module from modules | map(attribute='name') %}"
                "{{ module }}{% endyield %}.txt.jinja": "x"
            },
            {"Gate.txt": "x"},
            {},
            id="loop over names",
        ),
        pytest.param(
            {f"project/{LOOP}/x.txt.jinja": "{{ module.name }}"},
            {"gate/x.txt": "Gate"},
            {},
            id="a folder for each module",
        ),
        pytest.param(
            {f"project/test_{LOOP}.txt.jinja": "{{ modules | length }}"},
            {"test_gate.txt": "2"},
            {"test_mix.txt": ("1", "2")},
            id="module's file that all modules change",
        ),
        pytest.param(
            {"kinds/linear/module.jinja": "{{ modules | length }}"},
            {"digits/gate.py": "2"},
            {"digits/mix.py": ("1", "2")},
            id="kind that all modules change",
        ),
        pytest.param(
            {"project/also.txt": LIST, "project/also.txt.jinja": LIST},
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="two files for one place",
        ),
        pytest.param(
            {"project/{% if modules | length > 1 %}many{% endif %}": "x"},
            {"many": "x"},
            {},
            id="name that depends on modules",
        ),
    ],
)
def test_what_copier_alone_can_render_is_left_to_it(
    template: SmallTemplate,
    files: dict[str, str],
    new: dict[str, str],
    changed: dict[str, tuple[str, str]],
) -> None:
    for name, text in files.items():
        template.write(name, text)
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    expected = Rendered(as_posix(NEW | new), as_posix(CHANGED | changed))
    assert render_module_by_copier(project, GATE) == expected


def test_an_executable_list_is_left_to_copier(template: SmallTemplate) -> None:
    template.write("project/also.txt.jinja", LIST).chmod(0o755)
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    assert render_module_by_copier(project, GATE).changed == as_posix(BOTH_LISTS)


def test_files_that_only_copier_sees_are_left_to_it(template: SmallTemplate) -> None:
    template.write("project/also.txt.jinja", LIST + "{% include '.git/HEAD' ignore missing %}")
    with pytest.raises(NeedsCopier):
        by_jinja(template.project())


def test_a_file_that_is_not_there_is_named(template: SmallTemplate) -> None:
    template.write("project/a.jinja", "{% include 'b' %}")
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    with pytest.raises(ScaffoldError, match="'b' not found"):
        render_module_by_copier(project, GATE)


def test_an_answer_of_another_type_is_left_to_copier(template: SmallTemplate) -> None:
    template.write("project/also.txt.jinja", LIST + "{{ package | length }}")
    project = template.project(package=12)
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    changed = render_module_by_copier(project, GATE).changed
    assert changed[PurePosixPath("also.txt")] == ("Mix 2", "Mix Gate 2")


SKIPPED = (
    "image: {type: bool}\nbase: {type: str, default: %s, when: '%s'}\n"
    "_subdirectory: project\npackage: {type: str}\nmodules: {type: yaml}\n"
)


def test_a_question_that_was_not_asked_has_its_default(template: SmallTemplate) -> None:
    template.write("copier.yml", SKIPPED % ("plain", "{{ image }}"))
    template.write("project/also.txt.jinja", LIST + "{{ base }} {{ image }}")
    project = template.project(image=False)
    rendered = by_jinja(project)
    assert rendered == render_module_by_copier(project, GATE)
    assert rendered.changed[PurePosixPath("also.txt")][0] == "Mix plain False"


@pytest.mark.parametrize(
    ("default", "when", "image"),
    [
        pytest.param("plain", "{{ image }}", True, id="it was asked"),
        pytest.param("plain", "{{ not image }}", False, id="another condition"),
        pytest.param("plain", "false", False, id="never asked"),
        pytest.param("'{{ package }}'", "{{ image }}", False, id="a computed default"),
        pytest.param("[1]", "{{ image }}", False, id="a default of another type"),
    ],
)
def test_another_question_without_an_answer_is_left_to_copier(
    template: SmallTemplate, default: str, when: str, image: bool
) -> None:
    template.write("copier.yml", SKIPPED % (default, when))
    with pytest.raises(NeedsCopier, match="base"):
        by_jinja(template.project(image=image))


Change = Callable[[SmallTemplate], object]


def link(name: str, target: str) -> Change:
    return lambda template: (template.folder / name).symlink_to(target)


def text(name: str, content: str | bytes) -> Change:
    return lambda template: template.write(name, content)


def executable(name: str) -> Change:
    return lambda template: template.write(name, "").chmod(0o755)


def both(first: Change, second: Change) -> Change:
    return lambda template: (first(template), second(template))


CONFIG = SMALL_TEMPLATE["copier.yml"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            text("project/a.jinja", LIST + "{{ modules | sum }}"), "unsupported operand", id="type"
        ),
        pytest.param(text("project/a.jinja", b"\xff"), "can't decode", id="not UTF-8"),
        pytest.param(text("project/a.jinja", LIST + "{% if %}"), "Expected", id="syntax"),
        pytest.param(
            text("project/a.jinja", LIST + "{{ ''.__class__.__mro__ }}"), "unsafe", id="python"
        ),
        pytest.param(
            text("project/{{ '..' }}/a.jinja", LIST),
            "forbidden|outside",
            id="out of the repository",
        ),
        pytest.param(link("project/a", "/etc/hostname"), "forbidden|outside", id="link out"),
        pytest.param(link("project/a", "/etc"), "forbidden|outside", id="link to a folder out"),
        pytest.param(
            both(
                link("a", "/etc/hostname"),
                text("project/a.jinja", LIST + "{% include 'a' %}"),
            ),
            "forbidden|outside",
            id="link out that is included",
        ),
        pytest.param(text("copier.yml", ""), "no question|cannot be used", id="empty copier.yml"),
        pytest.param(text("copier.yml", CONFIG + "1: x\n"), "cannot be used", id="key"),
        pytest.param(text("copier.yml", "- x\n"), "cannot be used", id="list for copier.yml"),
        pytest.param(text("copier.yaml", CONFIG), "cannot be used", id="two copier.yml"),
        pytest.param(executable(f"project/{LOOP}.sh.jinja"), "gate.sh executable", id="executable"),
        pytest.param(
            text(f"project/{LOOP}.bin", b"\xff\0"), "gate.bin a file that is not", id="binary"
        ),
        pytest.param(
            text("project/{% if modules | length < 2 %}few{% endif %}", ""),
            "few disappear",
            id="few",
        ),
        pytest.param(
            both(
                text("copier.yml", CONFIG + "_preserve_symlinks: true\n"),
                link(f"project/{LOOP}.txt", "list.txt"),
            ),
            "gate.txt a link",
            id="link",
        ),
    ],
)
def test_what_no_module_can_have_is_told(
    template: SmallTemplate, change: Change, sentence: str
) -> None:
    change(template)
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    with pytest.raises(BadInput, match=sentence):
        render_module_by_copier(project, GATE)


def test_a_list_of_choices_is_seen_by_the_templates(template: SmallTemplate) -> None:
    question = "parts: {type: str, multiselect: true, choices: [one, two]}\n"
    template.write("copier.yml", SMALL_TEMPLATE["copier.yml"] + question)
    text = "{% if 'two' in parts %}{{ module.name }} of {{ parts | length }}\n{% endif %}"
    template.write("kinds/linear/module.jinja", text)
    project = template.project(parts=["two", "one"])
    assert by_jinja(project).new == as_posix({"digits/gate.py": "Gate of 2\n"})
    assert by_jinja(project) == render_module_by_copier(project, GATE)


@pytest.mark.parametrize(
    "line",
    [
        "_envops: {trim_blocks: true}",
        "_jinja_extensions: [jinja2.ext.do]",
        "_subdirectory: '{{ package }}'",
        "_subdirectory: ''",
        "_subdirectory: /etc",
        "_answers_file: .answers.yml",
        "_exclude: ['*.py']",
        "unrecorded: {type: str, default: x, when: false}",
        "package: {type: str, multiselect: true}",
        "package: {type: int, multiselect: true}",
        "package: {type: int}",
        "list: !include other.yml",
    ],
)
def test_a_setting_that_needs_copier_is_left_to_it(template: SmallTemplate, line: str) -> None:
    template.write("copier.yml", f"{CONFIG}{line}\n")
    with pytest.raises(NeedsCopier):
        by_jinja(template.project())
