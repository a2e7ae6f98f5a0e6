"""For every rule there are modules that break it, and the suite names that rule and no other."""

import breaches.construction
import breaches.devices
import breaches.forward
import breaches.registry
import pytest
from breaches import BREACHES, Breach
from module_contract import RULES, run_checks

FAMILIES = (breaches.construction, breaches.registry, breaches.forward, breaches.devices)


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.name)
def test_the_suite_names_the_rule_and_no_other(breach: Breach) -> None:
    findings = run_checks(breach.contract)
    text = "\n".join(map(str, findings)) or "nothing found"
    assert {finding.code for finding in findings} == set(breach.codes), text
    assert any(breach.path in finding.path for finding in findings), text


def test_every_rule_has_a_breach() -> None:
    assert {code for breach in BREACHES for code in breach.codes} == set(RULES)
