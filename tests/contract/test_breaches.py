"""For every rule there are modules that break it, and the suite names that rule and no other."""

import pytest
from breaches import BREACHES, Breach
from module_contract import RULES, run_checks


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.name)
def test_the_suite_names_the_rule_and_no_other(breach: Breach) -> None:
    findings = run_checks(breach.contract)
    text = "\n".join(map(str, findings)) or "nothing found"
    assert {finding.code for finding in findings} == {breach.code}, text
    assert any(breach.path in f"{finding.place}: {finding.attribute}" for finding in findings), text
    for finding in findings:
        rule = RULES[breach.code]
        where = ": ".join(part for part in (finding.place, finding.attribute) if part)
        assert str(finding).startswith(f"{rule.code} {rule.name}: {where}: ")
        assert str(finding).endswith(finding.fix)
        # The rule's own advice, or one that fits the case better.
        assert finding.fix


def test_every_rule_that_running_finds_has_a_breach() -> None:
    found = {code for code, rule in RULES.items() if rule.runtime}
    assert {breach.code for breach in BREACHES} == found
