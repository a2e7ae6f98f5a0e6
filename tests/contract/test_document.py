"""The document of the module contract tells the truth: its examples run, its table is complete."""

import re
from dataclasses import replace

import pytest
import torch
from document import DOCUMENT_FILE, PARTS, Example, anchor, read_document
from document_examples import ExampleContract, namespace, run
from module_contract import RULES, run_checks
from module_contract.core import CHECKS

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
    right = DOCUMENT.right(code)
    wrong = DOCUMENT.wrong(code)
    with namespace(right, DOCUMENT) as right_module, namespace(wrong, DOCUMENT) as wrong_module:
        right_contract = ExampleContract(right, right_module)
        wrong_contract = ExampleContract(wrong, wrong_module, right_contract)
        assert [str(finding) for finding in run_checks(right_contract)] == []
        findings = run_checks(wrong_contract)
    assert {finding.code for finding in findings} == {code}, "\n".join(map(str, findings))


def test_quoted_failure_is_what_the_suite_says() -> None:
    example = DOCUMENT.wrong("NN103")
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


@pytest.mark.parametrize(("code", "name"), DOCUMENT.rules.items())
def test_section_of_a_rule_has_its_parts_in_order(code: str, name: str) -> None:
    parts = DOCUMENT.parts[f"{code} {name}"]
    assert tuple(parts) == PARTS
    assert parts["What it does"].strip().startswith("Finds ")
    assert parts["Why is this bad?"].strip()
    blocks = [example.part for example in DOCUMENT.examples if example.code == code]
    assert blocks == ["Example", "Use instead"]


@pytest.mark.parametrize("code", RULES)
def test_section_names_the_checks_that_find_the_rule(code: str) -> None:
    text = DOCUMENT.parts[f"{code} {RULES[code].name}"]["Run-time check"].strip()
    named = re.findall(r"`test_(\w+)`", text)
    assert set(named) <= set(CHECKS)
    assert bool(named) if RULES[code].runtime else text.startswith("None: ")


def test_table_says_who_finds_a_rule() -> None:
    finders = {(True, False): "check", (False, True): "tests", (True, True): "both"}
    assert {row.code: (row.name, row.found_by) for row in DOCUMENT.rows} == {
        code: (rule.name, finders[rule.static, rule.runtime]) for code, rule in RULES.items()
    }


def test_table_lists_the_sections_in_their_order() -> None:
    assert [(row.code, row.name) for row in DOCUMENT.rows] == list(DOCUMENT.rules.items())
    for row in DOCUMENT.rows:
        assert row.anchor == anchor(f"{row.code} {row.name}")


def test_links_lead_to_headings() -> None:
    assert set(DOCUMENT.links) <= {anchor(heading) for heading in DOCUMENT.headings}
