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
PROJECT = "template/project"
LOOP = (
    '{% yield module from modules | selectattr("role", "equalto", "layer") %}'
    "{{ module.file }}{% endyield %}"
)
MODELS = LOOP.replace('"layer"', '"model"')
LIST = "{% for module in modules %}{{ module.name }} {% endfor %}"
LAYERS = f"{PROJECT}/src/{{{{ package }}}}/layers"
LINEAR = "template/kinds/linear/module.py.jinja"
MODULE = "{% include 'template/kinds/' ~ module.kind ~ '/module.py.jinja' -%}\n"
TEST = "{% include 'template/kinds/' ~ module.kind ~ '/test.py.jinja' -%}\n"
SMALL_TEMPLATE = {
    "copier.yml": (
        "_subdirectory: template/project\npackage: {type: str}\nmodules: {type: yaml}\n"
    ),
    f"{PROJECT}/{{{{ _copier_conf.answers_file }}}}.jinja": (
        "{{ _copier_answers | to_json }} {{ modules }}"
    ),
    f"{LAYERS}/__init__.py.jinja": LIST,
    f"{LAYERS}/{LOOP}.py.jinja": MODULE,
    f"{PROJECT}/tests/layers/test_{LOOP}.py.jinja": TEST,
    f"{PROJECT}/src/{{{{ package }}}}/models/__init__.py.jinja": "",
    f"{PROJECT}/src/{{{{ package }}}}/models/{MODELS}.py.jinja": MODULE,
    f"{PROJECT}/tests/models/test_{MODELS}.py.jinja": TEST,
    LINEAR: "class {{ module.name }}:  # of {{ package }}\n",
    "template/kinds/linear/test.py.jinja": "import {{ module.name }}\n",
}
CONFIG = SMALL_TEMPLATE["copier.yml"]
NEW = {
    "src/digits/layers/gate.py": "class Gate:  # of digits\n",
    "tests/layers/test_gate.py": "import Gate\n",
}
CHANGED = {"src/digits/layers/__init__.py": ("Mix ", "Mix Gate ")}
SEVERAL = "type: str, multiselect: true, choices: [one, two]"


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


@pytest.mark.parametrize("contract", ["vendored", "package"])
def test_a_test_imports_the_suite_that_was_chosen(
    contract: str, tmp_path: Path, home: Path
) -> None:
    project = read_project(create_project(tmp_path / "digits", {"contract": contract}).path)
    module = specify("Gate", "linear", "layer", project.modules)
    template = template_checkout(project.source, project.version)
    rendered = render_module(template, project, module)
    assert rendered == render_module_by_copier(project, module)
    line = {
        "vendored": "\nfrom tests.module_contract import ModuleContract\n\n\nclass TestGate(",
        "package": "\nfrom nnscaffold.contract import ModuleContract\n\n\nclass TestGate(",
    }
    assert line[contract] in rendered.new[PurePosixPath("tests/layers/test_gate.py")]
    # A repository that is older than the question keeps the suite that it has.
    del project.answers["contract"]
    older = render_module(template, project, module)
    assert line["vendored"] in older.new[PurePosixPath("tests/layers/test_gate.py")]


def test_free_text_comes_out_as_copier_renders_it(tmp_path: Path, home: Path) -> None:
    nasty = {"description": 'x"""y {{ 7*7 }} \\n {% raw %} 🎉', "author_name": 'O\'Neil "N"'}
    project = read_project(create_project(tmp_path / "digits", nasty).path)
    module = specify("Gate", "linear", "layer", project.modules)
    template = template_checkout(project.source, project.version)
    assert render_module(template, project, module) == render_module_by_copier(project, module)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="nothing else"),
        pytest.param(
            {
                f"{PROJECT}/LICENCE.jinja": "{% include 'template/licences/' ~ 'x.txt' %}",
                "template/licences/x.txt": "Of {{ package }}",
            },
            id="an include",
        ),
        pytest.param(
            {f"{PROJECT}/{{% if package == 'x' %}}x{{% endif %}}/also.txt.jinja": "x"},
            id="skipped folder",
        ),
        pytest.param(
            {
                f"{PROJECT}/notes.md": "{{ modules }}",
                f"{PROJECT}/a.txt.jinja": "the modules of {{ package }}, {{ '}}' }} modules",
                "README.md": "{{ modules }}",
            },
            id="modules in prose",
        ),
        pytest.param({f"{PROJECT}/tests/layers/__init__.py": ""}, id="a package of tests"),
        pytest.param(
            {"copier.yml": SMALL_TEMPLATE["copier.yml"] + "_skip_if_exists: ['src/*/layers/*']\n"},
            id="files that are written once",
        ),
        pytest.param(
            {
                "copier.yml": CONFIG
                + """_exclude: ["{% if package == 'x' %}*{% endif %}", "/a"]\n"""
            },
            id="an exclusion that an answer turns off",
        ),
        pytest.param({LINEAR: "\n{{ package | to_json }}\r\n\n"}, id="odd white space"),
        pytest.param(
            {
                LINEAR: "{% include 'template/kinds/' ~ module.kind ~ '/part' %}{{ package }}",
                "template/kinds/linear/part": "{{ module.file }} of {{ package }}\n",
            },
            id="a kind in two files",
        ),
    ],
)
def test_a_template_by_the_convention_comes_out_as_copier_renders_it(
    template: SmallTemplate, files: dict[str, str]
) -> None:
    for name, text in files.items():
        template.write(name, text)
    project = template.project()
    rendered = by_jinja(project)
    assert rendered == render_module_by_copier(project, GATE)
    assert rendered.changed == as_posix(CHANGED)
    if LINEAR not in files:
        assert rendered.new == as_posix(NEW)


@pytest.mark.parametrize(
    ("files", "new", "changed"),
    [
        pytest.param(
            {f"{PROJECT}/also.txt.jinja": LIST},
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="another list",
        ),
        pytest.param(
            {f"{PROJECT}/also.txt.jinja": "{{ '}}' ~ modules | length }}"},
            {},
            {"also.txt": ("}}1", "}}2")},
            id="another list behind braces",
        ),
        pytest.param(
            {f"{PROJECT}/also.txt.jinja": "{% include 'list' %}", "list": LIST},
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="list through an include",
        ),
        pytest.param(
            {
                f"{PROJECT}/also.txt.jinja": "{% include 'template/project/list' %}",
                f"{PROJECT}/list": LIST,
            },
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="list through an include of a file of the project",
        ),
        pytest.param(
            {
                f"{PROJECT}/also.txt.jinja": "{% include 'template/texts/list' %}",
                "template/texts/list": LIST,
            },
            {},
            {"also.txt": ("Mix ", "Mix Gate ")},
            id="list through an include of a text",
        ),
        pytest.param(
            {f"{PROJECT}/also.txt.jinja": "{{ _copier_answers['mod' ~ 'ules'] | length }}"},
            {},
            {"also.txt": ("1", "2")},
            id="all answers",
        ),
        pytest.param(
            {f"{PROJECT}/{LOOP}.txt": "plain\r\n"},
            {"gate.txt": "plain\r\n"},
            {},
            id="a third file of each module",
        ),
        pytest.param(
            {f"{PROJECT}/{{% yield m from modules %}}{{{{ m.file }}}}{{% endyield %}}.jinja": "x"},
            {"gate": "x"},
            {},
            id="another loop variable",
        ),
        pytest.param(
            {f"{PROJECT}/{LOOP}/x.txt.jinja": "{{ module.name }}"},
            {"gate/x.txt": "Gate"},
            {},
            id="a folder for each module",
        ),
        pytest.param(
            {LINEAR: "{{ modules | length }}"},
            {"src/digits/layers/gate.py": "2"},
            {"src/digits/layers/mix.py": ("1", "2")},
            id="kind that all modules change",
        ),
        pytest.param(
            {LINEAR: "{{ _copier_conf.answers_file }}"},
            {"src/digits/layers/gate.py": ".copier-answers.yml"},
            {},
            id="copier's own variables",
        ),
        pytest.param(
            {LINEAR: "{{ pathjoin('a', 'b') }}"},
            {"src/digits/layers/gate.py": "a/b"},
            {},
            id="copier's own function",
        ),
        pytest.param(
            {LINEAR: "{% include '.git/HEAD' ignore missing %}"},
            {"src/digits/layers/gate.py": ""},
            {},
            id="files that only copier sees",
        ),
        pytest.param(
            {f"{LAYERS}/{LOOP}.py.jinja": f"# Ours.\n{MODULE}"},
            {"src/digits/layers/gate.py": "# Ours.\nclass Gate:  # of digits\n"},
            {},
            id="a text of its own around the kind's",
        ),
        pytest.param(
            {f"{LAYERS}/{{{{ 'gate' }}}}.py": "taken"},
            {"src/digits/layers/gate.py": None},
            {},
            id="a file in a module's place",
        ),
        pytest.param(
            {
                f"{PROJECT}/{{% if modules | length > 1 %}}many{{% endif %}}": "x",
            },
            {"many": "x"},
            {},
            id="name that depends on modules",
        ),
    ],
)
def test_what_does_not_follow_the_convention_is_left_to_copier(
    template: SmallTemplate,
    files: dict[str, str],
    new: dict[str, str | None],
    changed: dict[str, tuple[str, str]],
) -> None:
    for name, text in files.items():
        template.write(name, text)
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    rendered = render_module_by_copier(project, GATE)
    for path, text in (NEW | new).items():
        if text is not None:
            assert rendered.new[PurePosixPath(path)].startswith(text), path
    assert rendered.changed.items() >= as_posix(CHANGED | changed).items()


def test_a_template_without_one_of_the_files_is_left_to_copier(template: SmallTemplate) -> None:
    (template.folder / PROJECT / "tests" / "layers" / f"test_{LOOP}.py.jinja").unlink()
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    assert list(render_module_by_copier(project, GATE).new) == [
        PurePosixPath("src/digits/layers/gate.py")
    ]


def test_an_executable_index_is_left_to_copier(template: SmallTemplate) -> None:
    (template.folder / LAYERS / "__init__.py.jinja").chmod(0o755)
    project = template.project()
    with pytest.raises(NeedsCopier):
        by_jinja(project)
    assert render_module_by_copier(project, GATE).changed == as_posix(CHANGED)


def test_a_kind_that_is_not_there_is_named(template: SmallTemplate) -> None:
    project = template.project()
    (template.folder / LINEAR).unlink()
    other = GATE.__class__("Gate", "other", "layer", "gate")
    with pytest.raises(NeedsCopier):
        render_module(template_checkout(project.source, project.version), project, other)
    with pytest.raises(ScaffoldError, match=r"other/module\.py\.jinja' not found"):
        render_module_by_copier(project, other)


def test_an_answer_of_another_type_is_left_to_copier(template: SmallTemplate) -> None:
    template.write("copier.yml", f"{CONFIG}size: {{type: str}}\n")
    template.write(LINEAR, "{{ size | length }}")
    project = template.project(size=12)
    with pytest.raises(NeedsCopier, match="size"):
        by_jinja(project)
    rendered = render_module_by_copier(project, GATE)
    assert rendered.new[PurePosixPath("src/digits/layers/gate.py")] == "2"


@pytest.mark.parametrize(
    ("when", "question", "shown"),
    [
        ("{{ docker }}", "type: str, default: plain", "plain"),
        ("{{ not asked }}", "type: bool, default: true", "True"),
        ('{{ task == "blank" }}', "type: int, default: 3", "3"),
        ('{{ task != "digits" }}', "type: bool, default: false", "False"),
        ('{{ "triton" in exports }}', f"{SEVERAL}, default: [one, two]", "one+two"),
        ("false", f"{SEVERAL}, default: []", ""),
    ],
)
def test_a_question_that_was_not_asked_has_its_default(
    template: SmallTemplate, when: str, question: str, shown: str
) -> None:
    template.write(
        "copier.yml",
        f"{CONFIG}docker: {{type: bool}}\nasked: {{type: bool}}\ntask: {{type: str}}\n"
        "exports: {type: str, multiselect: true, choices: [onnx, triton]}\n"
        f"part: {{{question}, when: '{when}'}}\n",
    )
    template.write(
        LINEAR, "{{ part if part is string or part is not iterable else part | join('+') }}"
    )
    project = template.project(docker=False, asked=True, task="digits", exports=["onnx"])
    rendered = by_jinja(project)
    assert rendered.new[PurePosixPath("src/digits/layers/gate.py")] == shown
    assert rendered == render_module_by_copier(project, GATE)


@pytest.mark.parametrize(
    ("question", "rendered"),
    [
        pytest.param("part: {type: str, default: '{{ package }}'}", "digits", id="computed"),
        pytest.param("part: {type: str, default: 1}", "1", id="of another type"),
    ],
)
def test_a_default_that_copier_makes_is_left_to_it_where_it_is_read(
    template: SmallTemplate, question: str, rendered: str
) -> None:
    template.write("copier.yml", f"{CONFIG}{question}\n")
    project = template.project()
    assert by_jinja(project) == render_module_by_copier(project, GATE)
    template.write(LINEAR, "{{ part }}")
    git("commit", "-q", "-a", "--amend", "-m", "two", cwd=template.folder)
    git("tag", "v2.0.0", cwd=template.folder)
    project.answers["_commit"] = "v2.0.0"
    with pytest.raises(NeedsCopier, match="part"):
        by_jinja(project)
    new = render_module_by_copier(project, GATE).new
    assert new[PurePosixPath("src/digits/layers/gate.py")] == rendered


Change = Callable[[SmallTemplate], object]


def link(name: str, target: str) -> Change:
    return lambda template: (template.folder / name).symlink_to(target)


def text(name: str, content: str | bytes) -> Change:
    return lambda template: template.write(name, content)


def executable(name: str) -> Change:
    return lambda template: template.write(name, "").chmod(0o755)


def both(first: Change, second: Change) -> Change:
    return lambda template: (first(template), second(template))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            text(f"{PROJECT}/a.jinja", LIST + "{{ modules | sum }}"),
            "unsupported operand",
            id="type",
        ),
        pytest.param(text(f"{PROJECT}/a.jinja", b"\xff"), "can't decode", id="not UTF-8"),
        pytest.param(text(f"{PROJECT}/a.jinja", LIST + "{% if %}"), "Expected", id="syntax"),
        pytest.param(
            text(f"{PROJECT}/a.jinja", LIST + "{{ ''.__class__.__mro__ }}"), "unsafe", id="python"
        ),
        pytest.param(
            text(f"{PROJECT}/{{{{ '..' }}}}/a.jinja", LIST),
            "forbidden|outside",
            id="out of the repository",
        ),
        pytest.param(link(f"{PROJECT}/a", "/etc/hostname"), "forbidden|outside", id="link out"),
        pytest.param(link(f"{PROJECT}/a", "/etc"), "forbidden|outside", id="link to a folder out"),
        pytest.param(
            both(
                link("a", "/etc/hostname"),
                text(f"{PROJECT}/a.jinja", LIST + "{% include 'a' %}"),
            ),
            "forbidden|outside",
            id="link out that is included",
        ),
        pytest.param(text("copier.yml", ""), "no question|cannot be used", id="empty copier.yml"),
        pytest.param(text("copier.yml", CONFIG + "1: x\n"), "cannot be used", id="key"),
        pytest.param(text("copier.yml", "- x\n"), "cannot be used", id="list for copier.yml"),
        pytest.param(text("copier.yaml", CONFIG), "cannot be used", id="two copier.yml"),
        pytest.param(
            executable(f"{PROJECT}/{LOOP}.sh.jinja"), "gate.sh executable", id="executable"
        ),
        pytest.param(
            text(f"{PROJECT}/{LOOP}.bin", b"\xff\0"), "gate.bin a file that is not", id="binary"
        ),
        pytest.param(
            text(f"{PROJECT}/{{% if modules | length < 2 %}}few{{% endif %}}", ""),
            "few disappear",
            id="few",
        ),
        pytest.param(
            both(
                text("copier.yml", CONFIG + "_preserve_symlinks: true\n"),
                link(f"{PROJECT}/{LOOP}.txt", "list.txt"),
            ),
            "gate.txt a link",
            id="link",
        ),
    ],
)
def test_what_no_module_can_have_is_reported(
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
    template.write("copier.yml", CONFIG + question)
    text = "{% if 'two' in parts %}{{ module.name }} of {{ parts | length }}\n{% endif %}"
    template.write(LINEAR, text)
    project = template.project(parts=["two", "one"])
    assert by_jinja(project).new[PurePosixPath("src/digits/layers/gate.py")] == "Gate of 2\n"
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
        "_exclude: [/src/digits/layers]",
        "_exclude: ['/src/{{ package }}/']",
        """_exclude: ["{% if package == 'digits' %}/tests{% endif %}"]""",
        "_exclude: ['{{ _copier_operation }}']",
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
