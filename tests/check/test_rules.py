"""Each rule that reading the source can find is a file, named after what it finds, and runs."""

from __future__ import annotations

from nnscaffold.check.rules import OF_CLASSES, OF_FILES
from nnscaffold.contract.rules import RULES


def test_each_rule_runs_from_the_file_named_after_it() -> None:
    homes = {find.__module__.rpartition(".")[2] for find in (*OF_CLASSES, *OF_FILES)}
    names = {rule.name.replace("-", "_") for rule in RULES.values() if rule.static}
    assert homes == names


def test_rules_run_in_the_order_of_their_codes() -> None:
    codes = {rule.name.replace("-", "_"): rule.code for rule in RULES.values()}
    for rules in (OF_CLASSES, OF_FILES):
        order = [codes[find.__module__.rpartition(".")[2]] for find in rules]
        assert order == sorted(order)
