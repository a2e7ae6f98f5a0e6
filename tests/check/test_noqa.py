"""Comments that silence findings, and those that silence none."""

from __future__ import annotations

import pytest

from nnscaffold.check.finding import Finding, Span
from nnscaffold.check.fixing import apply_fixes
from nnscaffold.check.noqa import read_directives, silence, unused
from nnscaffold.check.selection import STATIC_RULES
from nnscaffold.contract.rules import RULES

ON = frozenset(STATIC_RULES)


def finding(line: int, code: str = "NN103") -> Finding:
    return Finding(RULES[code], "a.py", Span(line, 0, line, 1), "Wrong")


def silenced(text: str, line: int = 1, code: str = "NN103") -> bool:
    return silence([finding(line, code)], read_directives(text)) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "#noqa",
        "# NOQA: nn103",
        "# noqa:NN103",
        "# noqa: E501,NN103",
        "# noqa: E501 NN103",
        "# noqa: NN103 because of the checkpoints",
        "# type: ignore # noqa: NN103",
        "# noqa: NN1",
    ],
)
def test_these_silence(comment: str) -> None:
    assert silenced(f"x = 1  {comment}\n")


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa: NN104",
        "x = 1  # noqa: because of the checkpoints",
        "x = '# noqa'",
        "x = 1  # see noqa",
        "x = 1",
        "x = 1  # noqa: module-in-container",
        "x = 1  # noqa: NN1O3",  # not `NN1`
        "x = 1  # noqa: E501 module-in-container",
    ],
)
def test_these_do_not(line: str) -> None:
    assert not silenced(f"{line}\n")


def test_a_comment_concerns_the_statement_that_it_ends() -> None:
    text = "x = [\n    1,  # noqa: NN104\n    '''\n    ''',\n]  # noqa: NN103\ny = 2\n"
    assert [silenced(text, line) for line in range(1, 7)] == [True] * 5 + [False]
    assert silenced(text, 2, "NN104")
    assert not silenced(text, 1, "NN104")
    header = "class A(\n    B,\n):  # noqa: NN103\n    x = 1\n"
    assert [silenced(header, line) for line in (1, 2, 3, 4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("x = 1  # noqa: NN103", "x = 1"),
        ("x = 1  # noqa: E501, NN103", "x = 1  # noqa: E501"),
        ("x = 1  # noqa: NN103,E501,NN104", "x = 1  # noqa: E501"),
        ("x = 1  # noqa: NN103 because", "x = 1  # because"),
        ("x = 1  # noqa: NN103  # type: ignore", "x = 1  # type: ignore"),
        ("x = 1  # why  # noqa: NN103", "x = 1  # why"),
        ("x = 1  # noqa: NN999", "x = 1"),
    ],
)
def test_a_code_that_silences_nothing_is_found_and_taken_out(line: str, rest: str) -> None:
    for end in ("\n", "\r\n", ""):
        text = line + end
        found = unused("a.py", text, [], read_directives(text), ON)
        assert [each.rule.code for each in found] == ["unused-noqa"]
        assert apply_fixes(text, found)[0] == rest + end


@pytest.mark.parametrize(
    ("comment", "on"),
    [
        ("# noqa", ON),
        ("# noqa: E501", ON),
        ("# noqa: NN103", ON - {"NN103"}),
        ("# noqa: NN1", ON - {"NN104"}),
        ("# noqa: NN208", ON),  # found by running alone
    ],
)
def test_of_these_nobody_can_say_that_they_silence_nothing(
    comment: str, on: frozenset[str]
) -> None:
    text = f"x = 1  {comment}\n"
    assert unused("a.py", text, [], read_directives(text), on) == []


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        (
            "# noqa: module-in-container",
            "`module-in-container` is not a code, and silences nothing: write `NN103`",
        ),
        (
            "# NOQA: E501, Module-In-Container",
            "`Module-In-Container` is not a code, and silences nothing: write `NN103`",
        ),
        ("# noqa: NN1O3", "`NN1O3` is not a code, and silences nothing: write `NN103`"),
        ("# noqa: NN7x because", "`NN7x` is not a code, and silences nothing"),
        ("# noqa: unused-noqa", "`unused-noqa` is not a code, and silences nothing"),
        ("# noqa: NN999", "The comment silences nothing: `NN999` is not a rule"),
        (
            "# noqa: nn104, NN999",
            "The comment silences nothing: there is no `nn104` here and `NN999` is not a rule",
        ),
    ],
)
def test_what_is_not_a_code_is_found_with_the_code_to_write(comment: str, message: str) -> None:
    text = f"x = 1  {comment}\n"
    (found,) = unused("a.py", text, [finding(1)], read_directives(text), ON)
    assert found.message == message
    assert text[found.span.column : found.span.end_column] == comment.removesuffix(" because")


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: NN103 module-in-container",
        "# noqa: NN103 the module-in-container is meant",
        "# noqa: because of the module-in-container",
        "# noqa: E501 NN output",
        "# noqa: NN",
    ],
)
def test_a_remark_is_a_remark(comment: str) -> None:
    text = f"x = 1  {comment}\n"
    assert unused("a.py", text, [finding(1)], read_directives(text), ON) == []


def test_a_word_that_is_not_a_code_stays_where_codes_are_taken_out() -> None:
    text = "x = 1  # noqa: NN104, module-in-container\n"
    found = unused("a.py", text, [], read_directives(text), ON)
    assert apply_fixes(text, found)[0] == "x = 1  # noqa: module-in-container\n"


def test_a_code_that_is_used_stays() -> None:
    text = "x = 1  # noqa: NN103, NN104\n"
    (found,) = unused("a.py", text, [finding(1)], read_directives(text), ON)
    assert "`NN104`" in found.message
    assert apply_fixes(text, [found])[0] == "x = 1  # noqa: NN103\n"
