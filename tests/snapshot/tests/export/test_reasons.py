"""What a failed export says: the rule, the place in the model's source, and what to do."""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx.experimental import symbolic_shapes

from digit_classifier.command import run_command
from digit_classifier.errors import InputError
from digit_classifier.export import delivery
from digit_classifier.export.__main__ import TARGETS, main
from digit_classifier.export.diagnosis.reasons import explain
from digit_classifier.export.noise import quiet
from digit_classifier.export.subject import Subject, load_subject
from digit_classifier.export.target import Target

from . import broken_models as broken
from .places import marked

EXAMPLE = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
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


class HardCodedDevice(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images) + torch.zeros(10, device="cuda")  # NN301


class UnregisteredMask(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.mask = torch.ones(10)  # NN201

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images) * self.mask


class DataDependentBranch(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        if logits.sum() > 0:  # NN404
            return logits
        return -logits


class BranchOnBatchSize(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        if images.shape[0] > 4:  # no rule
            return 2 * logits
        return logits


class LoopOverBatch(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.model(image[None]) for image in images])  # no rule


# Every target as it is by default, and what else there is that traces a model in another way.
COMMANDS: list[tuple[str, ...]] = [(target,) for target in sorted(TARGETS)]
if "triton" in TARGETS:
    COMMANDS.append(("triton", "--backend", "pytorch"))
# Pruning trains the model anew and traces nothing: a branch or a loop is not in its way.
TRACING = [command for command in COMMANDS if command[0] != "prune"]


def status_of(
    around: Callable[[nn.Module], nn.Module],
    command: tuple[str, ...],
    checkpoint: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """Export the trained model within a broken one, and return the exit status."""

    def load(path: Path) -> Subject:
        subject = load_subject(path)
        model = around(subject.model).eval().requires_grad_(False)
        return dataclasses.replace(subject, model=model)

    monkeypatch.setattr(delivery, "load_subject", load)
    arguments = [*command, "--checkpoint", str(checkpoint), "--out", str(out)]
    return run_command(lambda: main(arguments))


def skip_without_extras(target: Callable[..., Target], tmp_path: Path) -> None:
    """Skip a target whose packages are not installed."""
    try:
        target(checkpoint=tmp_path / "best.pt", out=tmp_path / "out").check()
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kind", [HardCodedDevice, UnregisteredMask])
def test_no_target_writes_a_model_that_breaks_the_contract(
    kind: type[nn.Module],
    command: tuple[str, ...],
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    skip_without_extras(TARGETS[command[0]], tmp_path)

    assert status_of(kind, command, checkpoint, tmp_path / "out", monkeypatch) == 2

    code, place = marked(kind)
    (told,) = capfd.readouterr().err.splitlines()
    assert told.startswith(f"error: {kind.__name__} cannot be exported. {code} ")
    assert place in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", TRACING, ids=" ".join)
@pytest.mark.parametrize("kind", [BranchOnBatchSize, LoopOverBatch])
def test_no_target_writes_a_model_whose_batch_is_fixed(
    kind: type[nn.Module],
    command: tuple[str, ...],
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    skip_without_extras(TARGETS[command[0]], tmp_path)

    assert status_of(kind, command, checkpoint, tmp_path / "out", monkeypatch) == 2

    _, place = marked(kind)
    told = capfd.readouterr().err
    assert f"error: {kind.__name__} cannot be exported" in told
    assert place in told
    assert [path.name for path in tmp_path.iterdir()] == ["out.export.log"]


@pytest.mark.slow
@pytest.mark.parametrize("command", TRACING, ids=" ".join)
def test_no_target_writes_a_model_with_a_branch_by_value(
    command: tuple[str, ...],
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    skip_without_extras(TARGETS[command[0]], tmp_path)
    out = tmp_path / "out"

    assert status_of(DataDependentBranch, command, checkpoint, out, monkeypatch) == 2

    _, place = marked(DataDependentBranch)
    *before, told = capfd.readouterr().err.splitlines()
    # TorchScript says that it is deprecated.
    assert before == [] or command == ("torchscript",)
    assert told.startswith("error: DataDependentBranch cannot be exported. NN404 host-sync, ")
    assert place in told
    assert "if logits.sum() > 0:" in told
    assert "torch.where" in told
    assert told.endswith(f"The whole trace is in {out}.export.log.")
    assert [path.name for path in tmp_path.iterdir()] == ["out.export.log"]
    assert "Traceback (most recent call last)" in (tmp_path / "out.export.log").read_text()


def reason(model: nn.Module, export: Callable[[nn.Module], object], log: Path) -> str:
    """Return what is said of an export that fails."""
    torch.manual_seed(0)
    with quiet(), pytest.raises(Exception) as failed:  # noqa: PT011
        export(model.eval().requires_grad_(False))
    assert isinstance(failed.value, Exception)
    told = str(explain(failed.value, model, log, EXAMPLE))
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "\n" not in told
    return told


def program(model: nn.Module) -> object:
    return torch.export.export(model, (EXAMPLE,), dynamic_shapes=({0: Dim("batch")},))


@pytest.mark.parametrize("kind", BY_VALUE)
def test_a_value_that_tracing_lacks_is_host_sync(kind: type[nn.Module], tmp_path: Path) -> None:
    told = reason(kind(), program, tmp_path / "log")

    code, place = marked(kind)
    assert code == "NN404"
    assert told.startswith(f"{kind.__name__} cannot be exported. NN404 host-sync, ")
    assert place in told
    assert f"docs/module-contract.md explains {code}." in told


@pytest.mark.parametrize(
    ("kind", "condition"),
    [(broken.BatchDecides, "batch <= 4"), (broken.LoopOverBatch, "Eq(batch, 2)")],
)
def test_a_line_that_fixes_the_size_of_the_batch_is_named(
    kind: type[nn.Module],
    condition: str,
    tmp_path: Path,
) -> None:
    told = reason(kind(), program, tmp_path / "log")

    _, place = marked(kind)
    assert place in told
    assert condition in told
    assert "NN" not in told


@pytest.mark.parametrize(
    ("kind", "condition"),
    [(broken.LoopAfterConvolution, "Eq(batch, 2)"), (broken.BranchAfterConvolution, "batch < 16")],
)
def test_a_convolution_is_innocent_of_what_another_line_does(
    kind: type[nn.Module],
    condition: str,
    tmp_path: Path,
) -> None:
    told = reason(kind(), program, tmp_path / "log")

    _, place = marked(kind)
    assert told.count("this line (`") == 1
    assert place in told
    assert condition in told


@pytest.mark.parametrize("name", ["StatelessSymbolicContext", "DimDynamic", "ShapeEnv"])
def test_a_torch_that_has_renamed_its_internals_makes_a_message_plainer(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = broken.LoopOverBatch().eval()
    with quiet(), pytest.raises(Exception) as failed:  # noqa: PT011
        program(model)
    assert isinstance(failed.value, Exception)
    monkeypatch.delattr(symbolic_shapes, name)

    told = str(explain(failed.value, model, tmp_path / "log", EXAMPLE))

    assert "LoopOverBatch cannot be exported. forward takes batches of one size only" in told


def test_an_error_of_torch_by_another_name_is_told_as_it_is(tmp_path: Path) -> None:
    class Renamed(Exception):
        """What a later torch raises."""

    told = str(explain(Renamed("no longer known"), broken.Classifier(), tmp_path / "log", EXAMPLE))

    assert "Classifier cannot be exported. Renamed: no longer known." in told


@pytest.mark.skipif(
    importlib.util.find_spec("onnxscript") is None,
    reason="needs onnx and onnxscript",
)
def test_an_operation_that_a_target_does_not_have_is_named(tmp_path: Path) -> None:
    def export(model: nn.Module) -> object:
        return torch.onnx.export(model, (EXAMPLE,), dynamo=True, verbose=False)

    told = reason(broken.RareOperator(), export, tmp_path / "log")

    _, place = marked(broken.RareOperator)
    assert place in told
    assert "no counterpart of torch's `linalg_slogdet`" in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_checkpoint_whose_model_cannot_be_built_is_told_in_one_line(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(delivery, "load_subject", lambda path: broken.DeviceOfItsOwn())
    arguments = ["--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")]

    assert run_command(lambda: main([sorted(TARGETS)[0], *arguments])) == 2

    (told,) = capfd.readouterr().err.splitlines()
    assert marked(broken.DeviceOfItsOwn)[1] in told
    assert [path.name for path in tmp_path.iterdir()] == ["out.export.log"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_when_the_model_is_built_is_named(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log"
    with pytest.raises(Exception) as failed:  # noqa: PT011
        broken.DeviceOfItsOwn()

    assert isinstance(failed.value, Exception)
    told = str(explain(failed.value, None, log))
    _, place = marked(broken.DeviceOfItsOwn)
    assert told.startswith("The model cannot be exported. NN301 hard-coded-device, ")
    assert place in told
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_whatever_else_is_raised_is_told_in_one_line(tmp_path: Path) -> None:
    told = reason(broken.Fails(), lambda model: model(EXAMPLE), tmp_path / "log")

    _, place = marked(broken.Fails)
    assert place in told
    assert "RuntimeError: " in told


def test_an_error_of_another_program_has_no_place(tmp_path: Path) -> None:
    def export(model: nn.Module) -> None:
        exec("raise ValueError('no room\\nat all')", {})

    told = reason(broken.Classifier(), export, tmp_path / "log")

    assert told.startswith("Classifier cannot be exported. ")
    assert "ValueError: no room." in told
