"""The checker reads what the suite runs, and gives a breach the same code."""

import inspect
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
# What the checker does not see: it stands in another class or file, or is a matter of values.
ONLY_RUNNING_SHOWS = {
    "attributes.py": {"TensorOfTheFile", "UnusedItem"},
    "construction.py": {
        *("ChildWithoutSuper", "EmptyKey", "KeyOfDictMethod", "KeyOfModuleMethod", "KeyWithDot"),
        "LateChild",
    },
    "containers.py": {"AsBoundMethod", "InListOfChild", "PastTheRegistry"},
    "devices.py": {"DeviceByIndex", "DeviceFixedAtBuild"},
    "forward.py": {"NoiseInPlace", "PythonsNoise"},
    "precisions.py": {
        *("ChildRoundsTable", "OverflowsToInfinity", "PromotesByTable", "RoundsRates"),
        "RoundsTable",
    },
    "retention.py": {"ChildKeepsActivation"},
    "reuse.py": {
        *("CachesAFunctionOfTensors", "CachesAFunctionWithoutBound", "CountsInObject"),
        "KeepsInferenceTensor",
    },
    "sharing.py": {"ChildWithDefault"},
    "values.py": {
        *("ChildWithLambda", "EmptiedChild", "HalfWritten", "NoReset", "ResetForgetsBuffer"),
        "Resized",
    },
}


@pytest.fixture(scope="module")
def found() -> dict[tuple[Path, str], set[str]]:
    """The codes that the checker finds in each class of the suite's breaches, by its file."""
    codes: dict[tuple[Path, str], set[str]] = {}
    for one in check_paths([HERE], Settings(root=HERE)).findings:
        place = Path(one.path).resolve(), one.name.partition(".")[0]
        codes.setdefault(place, set()).add(one.rule.code)
    return codes


def place_of(breach: Breach) -> tuple[Path, str]:
    """The file and the name of its class; two files may have classes of one name."""
    return Path(inspect.getfile(breach.kind)).resolve(), breach.kind.__name__


@pytest.mark.parametrize(
    "breach",
    [breach for breach in BREACHES if RULES[breach.code].static],
    ids=lambda breach: breach.name,
)
def test_breaches_of_the_suite_are_found_in_their_source(
    breach: Breach, found: dict[tuple[Path, str], set[str]]
) -> None:
    file, name = place_of(breach)
    expected = set() if name in ONLY_RUNNING_SHOWS.get(file.name, ()) else {breach.code}
    assert found.get((file, name), set()) == expected


def test_what_only_running_shows_is_a_breach() -> None:
    entered = {(file.name, name) for file, name in map(place_of, BREACHES)}
    assert {(file, name) for file, names in ONLY_RUNNING_SHOWS.items() for name in names} <= entered


def codes_of(example: Example) -> set[str]:
    findings: list[Finding] = check_source(IMPORTS + example.source, settings=settings_for(example))
    return {finding.rule.code for finding in findings}


def settings_for(example: Example) -> Settings:
    """The rules that are on by default, and the example's own if the source can show it."""
    return Settings(extend_select=(example.code,) if RULES[example.code].static else ())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.code}-{one.part}")
def test_examples_of_the_document(example: Example) -> None:
    expected = {example.code} if example.part == "Example" and RULES[example.code].static else set()
    # The document looks at the unused layer, which is a use.
    if example.code == "NN112":
        expected = set()
    assert codes_of(example) == expected
