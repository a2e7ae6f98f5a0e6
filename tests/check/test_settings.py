"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nnscaffold.check.errors import BadRequest
from nnscaffold.check.patterns import matches
from nnscaffold.check.selection import OFF_BY_DEFAULT, STATIC_RULES
from nnscaffold.check.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]


def table(text: str) -> str:
    return f"[tool.nnscaffold.check]\n{text}\n"


def test_by_default_all_rules_are_on_but_matters_of_taste() -> None:
    assert Settings().enabled("a.py") == STATIC_RULES.keys() - OFF_BY_DEFAULT


def test_the_nearest_table_above_everything_that_is_checked_counts(tree: Tree) -> None:
    root = tree(
        {
            "pyproject.toml": table('select = ["NN1"]'),
            "inner/pyproject.toml": "[project]\n",
            "inner/a.py": "",
            "other/pyproject.toml": table('select = ["NN2"]'),
            "other/b.py": "",
        }
    )
    assert load_settings(["inner/a.py"]).select == ("NN1",)
    assert load_settings(["inner"]).root == root
    assert load_settings(["other/b.py"]).select == ("NN2",)
    assert load_settings(["inner", "other"]).select == ("NN1",)


def test_a_repository_ends_the_search(tree: Tree) -> None:
    root = tree(
        {"pyproject.toml": table('select = ["NN1"]'), "repo/.git/HEAD": "", "repo/a.py": ""}
    )
    settings = load_settings(["repo/a.py"])
    assert (settings.select, settings.root) == (None, root / "repo")


def test_without_settings_the_root_lies_outside_of_packages(tree: Tree) -> None:
    root = tree({".git/HEAD": "", "a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": ""})
    assert load_settings(["a/b/c.py"]).root == root


def test_all_keys_are_read(tree: Tree) -> None:
    root = tree(
        {
            "pyproject.toml": table(
                """
                select = ["NN1", "NN201"]
                extend-select = ["NN602"]
                ignore = ["module-in-container"]
                exclude = ["vendor"]
                module-roots = ["mmengine.model.BaseModule"]
                baseline = "known.json"
                per-file-ignores = { "tests/**" = ["NN1"] }
                """
            )
        }
    )
    settings = load_settings(["."])
    on = settings.enabled("a.py")
    assert {"NN101", "NN201", "NN602"} <= on
    assert not {"NN103", "NN202", "unused-noqa"} & on
    assert settings.enabled("tests/deep/a.py") == {"NN201", "NN602"}
    assert settings.exclude == ("vendor",)
    assert settings.module_roots == ("mmengine.model.BaseModule",)
    assert settings.baseline == root / "known.json"


def test_the_more_precise_selector_counts() -> None:
    def on(select: tuple[str, ...] | None, ignore: tuple[str, ...]) -> frozenset[str]:
        return Settings(select=select, ignore=ignore).enabled("a.py")

    assert on(("NN103",), ("NN1",)) == {"NN103"}
    assert "NN103" not in on(("NN1",), ("NN103",))
    assert on(("ALL",), ()) == STATIC_RULES.keys()
    assert on(("NN1",), ("NN1",)) == set()
    assert on((), ()) == set()


def test_options_override_the_settings() -> None:
    settings = Settings(ignore=("NN103",), select=("NN2",))
    assert settings.with_options(select=["NN103,NN104"]).enabled("a.py") == {"NN103", "NN104"}
    assert "NN201" not in settings.with_options(ignore=["NN201"]).enabled("a.py")
    assert "NN601" in settings.with_options(extend_select=["NN6"]).enabled("a.py")


def test_codes_and_names_are_taken_in_any_letters() -> None:
    def on(*words: str) -> frozenset[str]:
        return Settings().with_options(select=words).enabled("a.py")

    assert on("nn103, Module-In-Container") == {"NN103"}
    assert on("nn6") == {"NN601", "NN602"}
    assert on("all") == STATIC_RULES.keys()
    assert on("UNUSED-NOQA") == {"unused-noqa"}


def test_settings_of_a_program_take_the_same_words_as_a_file() -> None:
    settings = Settings(select=("nn1,NN201",), per_file_ignores=(("a.py", ("Tensor-Attribute",)),))
    assert {"NN103", "NN201"} <= settings.enabled("b.py")
    assert "NN201" not in settings.enabled("a.py")
    with pytest.raises(BadRequest, match="`ignore` names `NN1O3`"):
        Settings(ignore=("NN1O3",))


@pytest.mark.parametrize("words", ["", ",", "NN1,", " "])
def test_an_option_that_names_nothing_is_refused(words: str) -> None:
    with pytest.raises(BadRequest, match="`--select` has an empty name"):
        Settings().with_options(select=[words])


@pytest.mark.parametrize("word", ["N", "un", "NN1O3", "nn9"])
def test_what_is_no_rule_is_refused(word: str) -> None:
    with pytest.raises(BadRequest, match=f"`--select` names `{word}`, which is not a rule"):
        Settings().with_options(select=[word])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('selct = ["NN1"]', "`selct`.*Did you mean `select`"),
        ('select = ["NN10X"]', "`NN10X`.*Did you mean"),
        ('ignore = ["module-in-contaner"]', "Did you mean `module-in-container`"),
        ("select = 'NN1'", "`select`.*list of strings"),
        ("exclude = [1]", "`exclude`.*list of strings"),
        ("per-file-ignores = ['a']", "`per-file-ignores`.*table"),
        ("per-file-ignores = { 'a' = 'NN1' }", "list of strings"),
        ("baseline = 3", "`baseline`"),
        ("module-roots = ['a b.C']", "`a b.C`.*not the name of a class"),
        ("select = [", "not valid TOML"),
        ('extend_select = ["NN6"]', "`extend_select`.*Did you mean `extend-select`"),
        ('select = [""]', "`select` has an empty name"),
        ('exclude = [""]', "`exclude` has the pattern ``, which means no file"),
        ('exclude = ["/vendor"]', "`/vendor`, which means no file.*relative to this file"),
        ('per-file-ignores = { "/a" = ["NN1"] }', "`per-file-ignores` has the pattern `/a`"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tree: Tree, text: str, message: str) -> None:
    tree({"pyproject.toml": table(text)})
    with pytest.raises(BadRequest, match=rf"(?s)pyproject\.toml.*{message}"):
        load_settings(["."])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.nnscaffold.chekc]", "nnscaffold.chekc].*Did you mean `check`"),
        ('[tool.nnscaffold.contrct."a:B"]', "Did you mean `contract`"),
        ("[tool.nnscaffold.other]", r"The tables are \[tool.nnscaffold.check\], "),
        ('[tool.nnscaffold]\nselect = ["NN1"]', r"Put it into \[tool.nnscaffold.check\]"),
        ("[tool.nnscafold.check]", r"\[tool.nnscafold\].*Did you mean `nnscaffold`"),
        ("[tool.nn-scaffold.check]", "Did you mean `nnscaffold`"),
        ("[tool]\nnnscaffold = 3", "`tool.nnscaffold`.*a table"),
        ("[[tool.nnscaffold.check]]", "a table"),
    ],
)
def test_a_table_that_nothing_reads_is_named(tree: Tree, text: str, message: str) -> None:
    tree({"pyproject.toml": f"{text}\n", "inner/a.py": ""})
    for path in (".", "inner/a.py"):
        with pytest.raises(BadRequest, match=rf"(?s)pyproject\.toml.*{message}"):
            load_settings([path])


def test_tables_of_others_are_theirs(tree: Tree) -> None:
    text = '[tool.scaffold.check]\n[tool.nnscaffolds]\n[tool.nnscaffold.contract."a:B"]\n'
    tree({"pyproject.toml": text})
    assert load_settings(["."]).select is None
    tree({"pyproject.toml": "tool = 3\n"})
    assert load_settings(["."]).select is None


def test_a_table_that_is_none_is_named(tree: Tree) -> None:
    tree({"pyproject.toml": "[tool]\nnnscaffold.check = 3\n"})
    with pytest.raises(BadRequest, match="a table"):
        load_settings(["."])


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b/c.py", "b", True),
        ("a/b/c.py", "c.py", True),
        ("a/b/c.py", "*.py", True),
        ("a/b/c.py", "a/b", True),
        ("a/b/c.py", "a/**", True),
        ("a/b", "a/b/**", True),
        ("a/b", "a/b/c/**", False),
        ("a/b/c.py", "b/c.py", False),
        ("a/b/c.py", "**/b/c.py", True),
        ("c.py", "**/c.py", True),
        ("a/b/c.py", "./a/", True),
        ("ab/c.py", "a", False),
    ],
)
def test_patterns(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, [pattern]) is expected
