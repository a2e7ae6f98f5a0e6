"""The checker reads what the suite runs, and gives a breach the same code."""

from pathlib import Path

import pytest
from breaches import BREACHES, Breach
from document import Example, read_document

from nnscaffold.check import Finding, check_paths, check_source
from nnscaffold.check.settings import Settings
from nnscaffold.contract.rules import RULES

HERE = Path(__file__).parent
EXAMPLES = [one for one in read_document().examples if one.part in ("Example", "Use instead")]
IMPORTS = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n"
# What its source does not tell: it stands in another class or file, or is a matter of values.
ONLY_RUNNING_SHOWS = {
    *("AsBoundMethod", "ChildKeepsActivation", "ChildRoundsTable", "ChildWithDefault"),
    *("ChildWithLambda", "ChildWithoutSuper", "CountsInObject", "DeviceByIndex"),
    *("DeviceFixedAtBuild", "EmptiedChild", "EmptyKey", "HalfWritten", "InListOfChild"),
    *("KeepsInferenceTensor", "KeyOfDictMethod", "KeyOfModuleMethod", "KeyWithDot", "LateChild"),
    *("CachesAFunctionOfTensors", "CachesAFunctionWithoutBound"),
    *("NoReset", "NoiseInPlace", "OverflowsToInfinity", "PastTheRegistry", "PromotesByTable"),
    *("PythonsNoise", "ResetForgetsBuffer", "Resized", "RoundsRates", "RoundsTable"),
    *("TensorOfTheFile", "UnusedItem"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    """The codes that the checker finds in each class of the suite's breaches."""
    codes: dict[str, set[str]] = {}
    for one in check_paths([HERE], Settings(root=HERE)).findings:
        codes.setdefault(one.name.partition(".")[0], set()).add(one.rule.code)
    return codes


@pytest.mark.parametrize(
    "breach",
    [breach for breach in BREACHES if RULES[breach.code].static],
    ids=lambda breach: breach.name,
)
def test_breaches_of_the_suite_are_found_in_their_source(
    breach: Breach, found: dict[str, set[str]]
) -> None:
    expected = set() if breach.kind.__name__ in ONLY_RUNNING_SHOWS else {breach.code}
    assert found.get(breach.kind.__name__, set()) == expected


def codes_of(example: Example) -> set[str]:
    findings: list[Finding] = check_source(IMPORTS + example.source, settings=everything(example))
    return {finding.rule.code for finding in findings}


def everything(example: Example) -> Settings:
    """The rules that are on by default, and the example's own."""
    return Settings(extend_select=(example.code,))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.code}-{one.part}")
def test_examples_of_the_document(example: Example) -> None:
    expected = {example.code} if example.part == "Example" and RULES[example.code].static else set()
    # The document looks at the unused layer, which is a use.
    if example.code == "NN112":
        expected = set()
    assert codes_of(example) == expected
