"""What the rules' fixes make of the corpus: code that runs, and in which they find nothing."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections import Counter
from fnmatch import filter as matching
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from fixed_examples import CLASSES, FUNCTIONS, Example, Watched
from rewriting import findings_of, rewritten
from torch import Tensor, nn

from nnscaffold.contract import check_module
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from nnscaffold.check.finding import Finding

CORPUS = Path(__file__).parent / "corpus"
BREACHES = sorted([*CORPUS.glob("*/breaches.py"), *CORPUS.glob("reports/*.py")])
# A class that a function makes, each time another one; calls that run as the file is imported, or
# whose models are the function's own.
NOT_CALLED_ALONE = {
    (CORPUS / "NN101" / "breaches.py", "Inner"),
    *(
        (CORPUS / "NN403" / "breaches.py", name)
        for name in ("inner", "model", "nn", "use_of_locals")
    ),
}


def name_of(path: Path) -> str:
    return path.stem if path.parent.name == "reports" else path.parent.name


@pytest.mark.parametrize("path", BREACHES, ids=name_of)
def test_a_fix_clears_its_finding_and_makes_no_other(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    after, fixed = rewritten(text)
    left = Counter((one.rule.code, one.name) for one in findings_of(after))
    before = Counter((one.rule.code, one.name) for one in findings_of(text))
    for one in fixed:
        before[one.rule.code, one.name] -= 1
    assert left == +before
    assert rewritten(after) == (after, [])


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.static])
def test_a_rule_is_marked_as_fixable_if_it_is(code: str) -> None:
    text = (CORPUS / code / "breaches.py").read_text(encoding="utf-8")
    fixes = [one.fix for one in findings_of(text) if one.rule.code == code]
    assert any(fixes) is RULES[code].fixable


def test_a_tensor_that_should_learn_is_left_to_its_author() -> None:
    text = (CORPUS / "NN201" / "breaches.py").read_text(encoding="utf-8")
    (found,) = (one for one in findings_of(text) if one.name == "ShouldLearn.scale")
    assert found.fix is None
    assert "should be a parameter" in found.message


# A fix that would break the line is not offered.
LEFT_ALONE = {
    "an argument that is made before": """
        class Scaled(Base):
            def __init__(self, width):
                self.scale = torch.ones(width)
                hidden = 2 * width
                super().__init__(hidden)
    """,
    "brackets around the parameter": """
        class Scaled(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.scale = (nn.Parameter(torch.ones(width))).half()
    """,
    "brackets around the method": """
        class Scaled(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.scale = (nn.Parameter(torch.ones(width)).half)()
    """,
}
BASE = """
import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
"""


@pytest.mark.parametrize("reason", LEFT_ALONE)
def test_what_a_fix_would_break_is_left_alone(reason: str) -> None:
    text = BASE + textwrap.dedent(LEFT_ALONE[reason])
    (found,) = (one for one in findings_of(text) if one.name == "Scaled.scale")
    assert found.fix is None


class File(NamedTuple):
    """A file of the corpus as it is and as it is fixed, both imported."""

    before: ModuleType
    after: ModuleType
    fixed: list[Finding]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], File]]:
    """Import files of the corpus, with `meta` for the GPU that a machine may lack."""
    folder = tmp_path_factory.mktemp("fixed")
    names: list[str] = []

    def imported(name: str, text: str) -> ModuleType:
        path = folder / f"{name}.py"
        path.write_text(text.replace('"cuda"', '"meta"').replace(".cuda()", '.to("meta")'))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where pickle looks for its classes
        names.append(name)
        spec.loader.exec_module(module)
        return module

    @cache
    def both(path: Path) -> File:
        text = path.read_text(encoding="utf-8")
        after, fixed = rewritten(text)
        name = name_of(path)
        return File(imported(f"{name}_before", text), imported(f"{name}_after", after), fixed)

    yield both
    for name in names:
        del sys.modules[name]


class Case(NamedTuple):
    """A class in both versions, built and called alike."""

    before: Callable[[], nn.Module]
    after: Callable[[], nn.Module]
    example: Example
    new_keys: list[str]

    def called(self, module: nn.Module, *, training: bool = True, seed: int = 0) -> Any:
        inputs = self.example.inputs()
        module.train(training).to(inputs[0].device)
        torch.manual_seed(seed)
        return module(*inputs)


@pytest.fixture
def case(name: str, files: Callable[[Path], File]) -> Case:
    path, kind = place_of(name)
    file, example = files(path), CLASSES[name]

    def build(module: ModuleType) -> Callable[[], nn.Module]:
        def seeded() -> nn.Module:
            torch.manual_seed(0)
            made: nn.Module = getattr(module, kind)(**example.arguments())
            return made

        return seeded

    fixes = [one.fix for one in file.fixed if one.name.partition(".")[0] == kind]
    new_keys = [key for fix in fixes if fix for key in fix.new_keys]
    return Case(build(file.before), build(file.after), example, new_keys)


def place_of(name: str) -> tuple[Path, str]:
    """The file and the class of an example."""
    code, _, kind = name.partition("/")
    report = CORPUS / "reports" / f"{kind}.py"
    return (report, "Reported") if report.exists() else (CORPUS / code / "breaches.py", kind)


def of_rules(*codes: str) -> list[str]:
    """The examples of these rules."""
    return [name for name in CLASSES if name.startswith(codes)]


def in_the_suite() -> list[Any]:
    """What can be run on this device: of each rule one in the fast tests, the others in the slow.

    What a literal device breaks does not break where there is no other device.
    """
    names = [name for name in CLASSES if not CLASSES[name].inputs()[0].is_meta]
    first = {name.partition("/")[0]: name for name in reversed(names)}.values()
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


def assert_equal(one: object, other: object) -> None:
    """Bit for bit; of tensors on `meta`, all that there is."""
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors of an output: one alone, or those of a list or dictionary."""
    if isinstance(value, Tensor):
        return [value]
    return [*(value.values() if isinstance(value, dict) else value)]


def test_all_that_is_fixed_has_an_example() -> None:
    entered = {place_of(name) for name in {*CLASSES, *FUNCTIONS}}
    fixed = set()
    for path in BREACHES:
        for one in rewritten(path.read_text(encoding="utf-8"))[1]:
            owner = one.name.partition(".")[0]
            fixed.add((path, one.name if (path, one.name) in entered else owner))
    assert fixed - NOT_CALLED_ALONE == entered


@pytest.mark.parametrize("name", of_rules("NN101", "NN102"))
def test_what_could_not_be_used_can_be(case: Case) -> None:
    with pytest.raises((AttributeError, TypeError)):
        case.called(case.before())
    module = case.after()
    assert sorted(module.state_dict()) == case.example.keys.split()
    assert case.called(module).isfinite().all()


@pytest.mark.parametrize("name", [n for n in CLASSES if n not in of_rules("NN101", "NN102")])
def test_what_is_computed_stays(case: Case) -> None:
    assert_equal(case.called(case.before()), case.called(case.after()))


@pytest.mark.parametrize("name", CLASSES)
def test_the_state_dict_has_the_keys_that_the_fix_names(name: str, case: Case) -> None:
    if name in of_rules("NN101", "NN102"):
        assert case.new_keys == []
        return
    before, after = case.before().state_dict(), case.after().state_dict()
    assert before.keys() <= after.keys()
    new = after.keys() - before.keys()
    assert bool(new) == bool(case.new_keys)
    for key in case.new_keys:
        assert matching(new, key), key
    assert all(any(fnmatchcase(key, one) for one in case.new_keys) for key in new)


@pytest.mark.parametrize("name", of_rules("NN103", "NN104", "NN107"))
def test_what_was_left_out_learns(case: Case) -> None:
    before, after = (dict(make().named_parameters()) for make in (case.before, case.after))
    new = after.keys() - before.keys()
    assert all(any(fnmatchcase(key, one) for key in new) for one in case.new_keys)
    module = case.after()
    torch.stack([one.sum() for one in tensors_of(case.called(module))]).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize("name", of_rules("NN201"))
def test_a_tensor_becomes_a_buffer_that_moves(case: Case) -> None:
    module = case.after()
    new = dict(module.named_buffers()).keys() - dict(case.before().named_buffers()).keys()
    assert new == {*case.new_keys}
    module = module.to(torch.float64)
    assert all(module.get_buffer(key).dtype == torch.float64 for key in new)
    module = module.to("meta")
    assert all(module.get_buffer(key).is_meta for key in new)


@pytest.mark.parametrize("name", of_rules("NN302"))
def test_a_tensor_is_made_where_the_input_is(case: Case) -> None:
    inputs = [one.to("meta") for one in case.example.inputs()]
    assert case.after().to("meta")(*inputs).is_meta


@pytest.mark.parametrize("name", of_rules("NN402"))
def test_nothing_is_dropped_in_evaluation(name: str, case: Case) -> None:
    module, faulty = case.after(), case.before()
    assert_equal(*(case.called(module, training=False, seed=seed) for seed in (1, 2)))
    with pytest.raises(AssertionError):
        assert_equal(*(case.called(faulty, training=False, seed=seed) for seed in (1, 2)))


@pytest.mark.parametrize("name", of_rules("NN403"))
def test_hooks_run(case: Case) -> None:
    def calls(module: nn.Module) -> Counter[str]:
        counted: Counter[str] = Counter()
        for path, child in module.named_modules():
            child.register_forward_hook(lambda *_, path=path: counted.update([path]))
        case.called(module)
        return counted

    before, after = calls(case.before()), calls(case.after())
    assert before < after


@pytest.mark.parametrize("name", in_the_suite())
def test_the_suite_finds_it_before_and_not_after(name: str, case: Case) -> None:
    code = name.partition("/")[0]

    def codes(build: Callable[[], nn.Module]) -> set[str | None]:
        return {one.code for one in check_module(build, case.example.inputs())}

    assert (code in codes(case.before)) is (RULES[code].runtime)
    assert code not in codes(case.after)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_fixed_function_returns_what_it_did(name: str, files: Callable[[Path], File]) -> None:
    path, _ = place_of(name)
    results, models = [], []
    for module in files(path)[:2]:
        torch.manual_seed(0)
        models.append(Watched())
        results.append(FUNCTIONS[name](module, models[-1]))
    assert torch.is_grad_enabled()
    assert_equal(*results)
    before, after = models
    if name.startswith("NN406"):
        assert any(before.recorded)
        assert not any(after.recorded)
    else:
        assert (before.hooks, after.hooks) == (0, 1)
