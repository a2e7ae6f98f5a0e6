"""Why a model is not exported: its breach of the contract, or what an exporter stumbled on."""

import importlib
import importlib.util
import pickle
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import numpy
import pytest
import torch
from exports import broken_models as broken
from exports import sound_models as sound
from exports.places import marked
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch.fx.experimental import symbolic_shapes

PROJECT = Path(__file__).parents[2] / "template" / "project"
PACKAGE = PROJECT / "src" / "{{ package }}"
DIAGNOSIS = PACKAGE / "{% if exports %}export{% endif %}" / "diagnosis.py.jinja"
COMMAND = PACKAGE / "{% if profile == 'standard' %}command.py{% endif %}"
EXAMPLE = {"images": torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))}

BY_VALUE = (
    broken.Branch,
    broken.BranchOfLayer,
    broken.Choice,
    broken.Assertion,
    broken.SizeByValue,
    broken.Number,
    broken.Listing,
    broken.Numpy,
    broken.Printed,
)
BY_SIZE = {
    broken.BatchDecides: "batch <= 4",
    broken.LoopOverBatch: "Eq(batch, 3)",
    broken.LoopAfterConvolution: "Eq(batch, 3)",
    broken.BranchAfterConvolution: "batch < 16",
}
# Only an exporter finds what these do.
LATER = (*BY_VALUE, *BY_SIZE, broken.RareOperator)
HELPERS = (broken.Classifier, broken.Convolved, broken.DeviceOfItsOwn)


def models(module: ModuleType) -> list[type[nn.Module]]:
    """The models that a file defines."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, nn.Module) and kind not in HELPERS]


BROKEN = [kind for kind in models(broken) if kind not in LATER]
SOUND = models(sound)


def repository(folder: Path, name: str, *, suite: bool, contract: str = "vendored") -> Any:
    """Make a clone of a repository, or what an installation has of one; import its diagnosis."""
    package = folder / "src" / name
    (package / "export").mkdir(parents=True)
    for path in (package / "__init__.py", package / "export" / "__init__.py"):
        path.touch()
    shutil.copy(COMMAND, package / "command.py")
    diagnosis = jinja2.Template(DIAGNOSIS.read_text(), keep_trailing_newline=True)
    (package / "export" / "diagnosis.py").write_text(diagnosis.render(contract=contract))
    if suite:
        ignored = shutil.ignore_patterns("__pycache__")
        vendored = "tests/module_contract"
        shutil.copytree(PROJECT / vendored, folder / vendored, ignore=ignored)
    sys.path.insert(0, str(folder / "src"))
    try:
        return importlib.import_module(f"{name}.export.diagnosis")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return repository(tmp_path_factory.mktemp("clone"), "cloned", suite=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return repository(tmp_path_factory.mktemp("wheel"), "installed", suite=False)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run where neither the repository nor its tests are."""
    monkeypatch.chdir(tmp_path)
    yield
    assert "tests.module_contract" not in sys.modules


def ready(kind: type[nn.Module]) -> nn.Module:
    """Return a model as an export has it."""
    torch.manual_seed(0)
    return kind().eval().requires_grad_(False)


def refused(diagnosis: Any, model: nn.Module) -> str:
    """Return why a model is refused."""
    with pytest.raises(diagnosis.InputError) as error:
        diagnosis.refuse_broken_contracts(model, EXAMPLE)
    return str(error.value)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_rule_is_named_with_its_place_and_fix(kind: type[nn.Module], clone: Any) -> None:
    reason = refused(clone, ready(kind))

    code, place = marked(kind)
    assert reason.startswith(f"{kind.__name__} cannot be exported. {code}")
    assert place in reason
    assert re.findall(r"NN\d+", reason) == [code, code] if code else "NN" not in reason
    if code:
        assert reason.endswith(f"docs/module-contract.md explains {code}.")
    assert "\n" not in reason


@pytest.mark.parametrize("kind", [*SOUND, *LATER])
def test_what_an_exporter_may_take_is_let_through(kind: type[nn.Module], clone: Any) -> None:
    example = {name: tensor.clone() for name, tensor in EXAMPLE.items()}
    clone.refuse_broken_contracts(ready(kind), example)
    assert torch.equal(example["images"], EXAMPLE["images"])


@pytest.mark.parametrize("kind", SOUND)
def test_the_sound_models_can_be_exported(kind: type[nn.Module]) -> None:
    torch.export.export(ready(kind), (), {"images": EXAMPLE["images"].clone()})


class Added(nn.Sequential):
    """The sum of what its models give."""

    def forward(self, images: Tensor) -> Tensor:
        return self[0](images) + self[1](images)


def test_all_breaches_are_named_at_once(clone: Any) -> None:
    model = Added(ready(broken.Mask), ready(broken.Listed))
    first, mask, listed, last = refused(clone, model).splitlines()
    assert first == "Added cannot be exported:"
    assert "NN201" in mask
    assert "0.mask" in mask
    assert "NN103" in listed
    assert "1.more[0] … 1.more[1]" in listed
    assert last == "docs/module-contract.md explains NN201, NN103."


def test_the_model_the_random_numbers_and_the_terminal_are_left_as_they_were(
    clone: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Counting(broken.Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, images: Tensor) -> Tensor:
            self.calls += 1
            print("called")
            return self.logits(images)

    model = ready(Counting)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pythons, torchs = random.getstate(), torch.get_rng_state()
    numpys = pickle.dumps(numpy.random.get_state())
    clone.refuse_broken_contracts(model, EXAMPLE)
    assert model.calls == 0
    assert not model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert random.getstate() == pythons
    assert pickle.dumps(numpy.random.get_state()) == numpys
    assert torch.equal(torch.get_rng_state(), torchs)
    assert capfd.readouterr() == ("", "")


class Tokens(nn.Module):
    """Integers and a mask of them, by name; a dictionary comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)

    def forward(self, tokens: Tensor, *, mask: Tensor) -> dict[str, Tensor]:
        states = self.embedding(tokens) * mask[..., None]
        return {"states": states, "sums": states.sum(1).squeeze()}


def test_any_inputs_and_outputs_are_understood(clone: Any) -> None:
    inputs = {"tokens": torch.tensor([[1, 2], [3, 4]]), "mask": torch.ones(2, 2)}
    with pytest.raises(clone.InputError, match="NN405 ambiguous-squeeze"):
        clone.refuse_broken_contracts(ready(Tokens), inputs)
    # Tensors that are not equally long have no batch that the example would show.
    inputs = {"tokens": torch.tensor([[1, 2]]), "mask": torch.ones(2, 2)}
    clone.refuse_broken_contracts(ready(Tokens), inputs)


@pytest.mark.parametrize("name", ["FakeTensorMode", "ShapeEnv"])
def test_a_torch_that_has_renamed_its_internals_is_not_a_reason_to_refuse(
    name: str,
    clone: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (fake_tensor, symbolic_shapes):
        monkeypatch.delattr(module, name, raising=False)
    clone.refuse_broken_contracts(ready(sound.Plain), EXAMPLE)
    assert "NN201" in refused(clone, ready(broken.Mask))


def program(model: nn.Module) -> object:
    dynamic = {"images": {0: torch.export.Dim("batch")}}
    return torch.export.export(model, (), EXAMPLE, dynamic_shapes=dynamic)


def explained(
    diagnosis: Any,
    model: nn.Module | None,
    attempt: Callable[[], object],
    log: Path,
) -> str:
    """Return what is reported of an attempt that fails."""
    with pytest.raises(Exception) as failed:  # noqa: PT011
        attempt()
    error = diagnosis.explain(failed.value, model, log, EXAMPLE)
    assert isinstance(error, diagnosis.InputError)
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")
    reason, _, whole = str(error).rpartition(" The whole trace is in ")
    assert whole == f"{log}."
    assert "\n" not in reason
    return reason


@pytest.mark.parametrize("kind", BY_VALUE)
def test_a_value_that_tracing_lacks_is_host_sync(
    kind: type[nn.Module],
    clone: Any,
    tmp_path: Path,
) -> None:
    model = ready(kind)
    reason = explained(clone, model, lambda: program(model), tmp_path / "log")
    code, place = marked(kind)
    assert code == "NN404"
    assert reason.startswith(f"{kind.__name__} cannot be exported. NN404 host-sync: ")
    assert place in reason


@pytest.mark.parametrize(("kind", "condition"), BY_SIZE.items())
def test_a_line_that_fixes_the_size_of_the_batch_is_named(
    kind: type[nn.Module],
    condition: str,
    clone: Any,
    tmp_path: Path,
) -> None:
    model = ready(kind)
    reason = explained(clone, model, lambda: program(model), tmp_path / "log")
    assert reason.count("broken_models.py:") == 1
    assert marked(kind)[1] in reason
    assert condition in reason


@pytest.mark.skipif(
    importlib.util.find_spec("onnxscript") is None,
    reason="needs onnx and onnxscript",
)
def test_an_operator_that_onnx_does_not_have_is_named(clone: Any, tmp_path: Path) -> None:
    model = ready(broken.RareOperator)
    images = EXAMPLE["images"]

    def attempt() -> object:
        return torch.onnx.export(model, (images,), dynamo=True, verbose=False)

    reason = explained(clone, model, attempt, tmp_path / "log")
    assert marked(broken.RareOperator)[1] in reason
    assert "linalg_slogdet" in reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_model_that_cannot_be_built_is_explained(clone: Any, tmp_path: Path) -> None:
    reason = explained(clone, None, broken.DeviceOfItsOwn, tmp_path / "new" / "log")
    assert reason.startswith("The model cannot be exported. NN301 hard-coded-device: ")
    assert marked(broken.DeviceOfItsOwn)[1] in reason


@pytest.mark.parametrize("kind", [broken.Fails, broken.WrongWidth])
def test_whatever_else_is_raised_is_named_with_its_line(
    kind: type[nn.Module],
    clone: Any,
    wheel: Any,
    tmp_path: Path,
) -> None:
    model = ready(kind)
    place = marked(kind)[1]
    for diagnosis in (clone, wheel):
        reason = explained(diagnosis, model, lambda: model(**EXAMPLE), tmp_path / "log")
        assert "RuntimeError: " in reason
        # The suite knows the line; an installed wheel is without it, and has the trace in the log.
        assert (place in reason) is (diagnosis is clone)
    file, line, _ = place.split(":")
    assert f'{file}", line {line}, in ' in (tmp_path / "log").read_text(encoding="utf-8")


def test_an_error_of_another_program_has_no_place(clone: Any, wheel: Any, tmp_path: Path) -> None:
    def attempt() -> None:
        raise ValueError("no room\nat all")

    # Whoever calls the exporter is in its folder, and not the author of the model.
    code = compile(
        "def call(attempt): attempt()", str(Path(clone.__file__).parent / "a.py"), "exec"
    )
    exec(code, names := {})
    for diagnosis in (clone, wheel):
        reason = explained(diagnosis, nn.Identity(), attempt, tmp_path / "log")
        assert reason.startswith("Identity cannot be exported. ")
        assert "ValueError: no room." in reason
    with pytest.raises(RuntimeError) as failed:
        names["call"](lambda: torch.ones(2) @ torch.ones(3))
    reason = str(clone.explain(failed.value, nn.Identity(), tmp_path / "log"))
    assert "test_diagnosis.py" in reason


def test_a_log_that_cannot_be_written_is_reported(clone: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = clone.explain(ValueError("full"), None, tmp_path / "file" / "log")
    assert "ValueError: full. The whole trace cannot be written: " in str(error)


def test_without_the_suite_nothing_is_refused(wheel: Any) -> None:
    for kind in (broken.Mask, broken.SqueezedBatch):
        wheel.refuse_broken_contracts(ready(kind), EXAMPLE)


def test_the_installed_suite_refuses_what_the_vendored_one_does(
    clone: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    packaged = repository(
        tmp_path_factory.mktemp("packaged"), "packaged", suite=False, contract="package"
    )
    for kind in (broken.Mask, broken.SqueezedBatch):
        assert refused(packaged, ready(kind)) == refused(clone, ready(kind))
    packaged.refuse_broken_contracts(ready(SOUND[0]), EXAMPLE)


def test_without_the_installed_suite_nothing_is_refused(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = repository(tmp_path_factory.mktemp("bare"), "bare", suite=False, contract="package")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    bare.refuse_broken_contracts(ready(broken.Mask), EXAMPLE)


def test_the_core_needs_no_pytest() -> None:
    code = (
        "import sys, module_contract\n"
        "assert module_contract.run_checks.__doc__ and module_contract.check_module.__doc__\n"
        "assert 'pytest' not in sys.modules and '_pytest' not in sys.modules\n"
        "assert module_contract.ModuleContract and 'pytest' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT / "tests", check=True)
