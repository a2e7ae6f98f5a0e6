"""One module by Jinja2 alone: byte for byte what Copier renders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaffolder.add import offered_kinds
from scaffolder.checkout import template_checkout
from scaffolder.errors import BadInput
from scaffolder.project import read_project
from scaffolder.render.module import NeedsCopier, render_module
from scaffolder.render.repository import render_module_by_copier, render_repository
from scaffolder.spec import ModuleSpec, specify

if TYPE_CHECKING:
    from pathlib import Path


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
    from scaffolder.create import create_project

    nasty = {"description": 'x"""y {{ 7*7 }} \\n {% raw %} 🎉', "author_name": 'O\'Neil "N"'}
    project = read_project(create_project(tmp_path / "digits", nasty).path)
    module = specify("Gate", "linear", "layer", project.modules)
    template = template_checkout(project.source, project.version)
    assert render_module(template, project, module) == render_module_by_copier(project, module)


@pytest.mark.parametrize(
    "setting",
    [
        "_envops: {trim_blocks: true}",
        "_jinja_extensions: [jinja2.ext.do]",
        "_subdirectory: '{{ package }}'",
        "secret_question: {type: str, default: x, when: false}",
        "list: !include other.yml",
    ],
)
def test_a_template_that_needs_copier_is_left_to_it(
    repository: Path, tmp_path: Path, setting: str
) -> None:
    template = plain_template(tmp_path)
    (template / "copier.yml").write_text(setting)
    with pytest.raises(NeedsCopier):
        render_module(template, read_project(repository), GATE)


def test_copiers_own_variables_need_copier(repository: Path, tmp_path: Path) -> None:
    template = plain_template(tmp_path)
    write_kind(template, "{{ _copier_conf.src_path }}")
    with pytest.raises(NeedsCopier):
        render_module(template, read_project(repository), GATE)


def test_a_link_out_of_the_template_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    template = plain_template(tmp_path)
    write_kind(template, "{% include 'link' %}")
    (template / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput, match="cannot be rendered"):
        render_module(template, read_project(repository), GATE)


def test_a_template_that_writes_outside_the_repository_is_refused(
    repository: Path, tmp_path: Path
) -> None:
    template = plain_template(tmp_path)
    name = "{% yield module from modules %}{{ '..' }}{% endyield %}"
    (template / name).mkdir()
    (template / name / "x.py.jinja").write_text("")
    with pytest.raises(BadInput, match="outside the repository"):
        render_module(template, read_project(repository), GATE)


def test_a_template_cannot_reach_python(repository: Path, tmp_path: Path) -> None:
    template = plain_template(tmp_path)
    write_kind(template, "{{ ''.__class__.__mro__ }}")
    with pytest.raises(BadInput, match="cannot be rendered"):
        render_module(template, read_project(repository), GATE)


GATE = ModuleSpec("Gate", "linear", "layer", "gate")


def plain_template(tmp_path: Path) -> Path:
    template = tmp_path / "template"
    template.mkdir()
    (template / "copier.yml").write_text("package: {type: str}\n")
    return template


def write_kind(template: Path, text: str) -> None:
    name = "{% yield module from modules %}{{ module.file }}{% endyield %}.py.jinja"
    (template / name).write_text(text)
