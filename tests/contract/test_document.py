"""The document of the module contract tells the truth: its examples run, its table is complete."""

from dataclasses import replace

import pytest
import torch
from document import DOCUMENT_FILE, Example, anchor, read_document
from document_examples import ExampleContract, namespace, run
from module_contract import RULES, run_checks

DOCUMENT = read_document()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("example", DOCUMENT.examples, ids=lambda example: example.label)
def test_example_does_what_its_comments_say(example: Example) -> None:
    with namespace(example, DOCUMENT) as module:
        run(example, module)


RUN = {code: rule for code, rule in RULES.items() if rule.runtime}


@pytest.mark.parametrize("code", RUN)
def test_suite_tells_right_from_wrong(code: str) -> None:
    right = DOCUMENT.example(code, "right")
    wrong = DOCUMENT.example(code, "wrong")
    with namespace(right, DOCUMENT) as right_module, namespace(wrong, DOCUMENT) as wrong_module:
        right_contract = ExampleContract(right, right_module)
        wrong_contract = ExampleContract(wrong, wrong_module, right_contract)
        assert [str(finding) for finding in run_checks(right_contract)] == []
        findings = run_checks(wrong_contract)
    assert {finding.code for finding in findings} == {code}, "\n".join(map(str, findings))


def test_quoted_failure_is_what_the_suite_says() -> None:
    example = DOCUMENT.example("NN103", "wrong")
    with namespace(example, DOCUMENT) as module:
        first, *_ = run_checks(ExampleContract(example, module))
    # What is built from a document has no line in a file, which a module of a repository has.
    placed = replace(first, place="src/digits/layers/stack.py:12")
    assert str(placed) in DOCUMENT_FILE.read_text(encoding="utf-8").splitlines()


def test_sample_of_a_test_class_passes() -> None:
    [sample] = (block for block in DOCUMENT.examples if "class TestLinear" in block.source)
    with namespace(sample, DOCUMENT) as module:
        run(sample, module)
        assert run_checks(module.TestLinear()) == []


def test_every_rule_has_a_wrong_and_a_right_example() -> None:
    verdicts: dict[str, list[str]] = {code: [] for code in DOCUMENT.rules}
    for example in DOCUMENT.examples:
        if example.verdict:
            verdicts[example.code].append(example.verdict)
    assert set(map(tuple, verdicts.values())) == {("wrong", "right")}


def test_rules_of_the_suite_are_those_found_by_tests() -> None:
    found_by_tests = {row.code: row.name for row in DOCUMENT.rows if row.found_by == "tests"}
    assert {code: rule.name for code, rule in RUN.items()} == found_by_tests


def test_table_lists_the_sections_in_their_order() -> None:
    assert [(row.code, row.name) for row in DOCUMENT.rows] == list(DOCUMENT.rules.items())
    for row in DOCUMENT.rows:
        assert row.anchor == anchor(f"{row.code} {row.name}")


def test_links_lead_to_headings() -> None:
    assert set(DOCUMENT.links) <= {anchor(heading) for heading in DOCUMENT.headings}
