"""The checks of what is exported: when they are left out, what they name, what they leave alone."""

import importlib.util
import inspect
import logging
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import FAULTS
from good import GOOD
from module_contract import ContractViolation
from module_contract.case import Case, Contract
from module_contract.core import outcome_of
from module_contract.exporters import ONNX_PACKAGES, fixed_sizes
from module_contract.rules import NotApplicable
from stated import WithLinear, stated
from torch import Tensor
from torch.fx.experimental import symbolic_shapes

pytestmark = pytest.mark.slow


def left_out(contract: Contract, check: str) -> str:
    """Why the check is left out."""
    outcome = outcome_of(Case(contract), check)
    assert isinstance(outcome, NotApplicable)
    return str(outcome)


def fault(name: str) -> Contract:
    return next(entry.contract for entry in FAULTS if entry.name == name)


@pytest.mark.parametrize("package", ONNX_PACKAGES)
def test_without_a_package_onnx_is_left_out_and_says_how_to_get_it(
    package: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = importlib.util.find_spec

    def find(name: str, *arguments: Any) -> ModuleSpec | None:
        return None if name == package else installed(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    reason = left_out(stated(WithLinear), "onnx")
    assert reason == (
        f"{package} is not installed: run pip install onnx onnxscript onnxruntime "
        "(the extra `onnx`, where the project has it)"
    )


def test_who_opts_out_of_export_need_not_opt_out_of_onnx() -> None:
    assert "torch.export" in left_out(GOOD["PackedSequence"], "onnx")


@pytest.mark.parametrize(
    ("name", "label"),
    [("UnrollsTheBatch", "export"), ("BranchesByValue", "NN404")],
)
def test_who_fails_export_fails_it_once(name: str, label: str) -> None:
    assert left_out(fault(name), "onnx") == f"waits for test_export ({label})"


def test_onnxruntime_takes_no_complex_numbers() -> None:
    assert "complex" in left_out(GOOD["Complex"], "onnx")


@pytest.mark.parametrize("check", ["export", "onnx"])
def test_without_a_batch_it_is_left_out(check: str) -> None:
    assert left_out(GOOD["NoBatch"], check) == "the inputs have no batch dimension"


class SubtractsTheMean(WithLinear):
    """With the mean of the others, so that one sample alone makes no sense."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            raise ValueError("one sample has no others")
        return self.linear(x)


def test_a_module_that_opts_out_of_a_single_sample_is_not_asked_for_one() -> None:
    contract = stated(SubtractsTheMean, opt_out={"single_sample": "it compares samples"})
    assert outcome_of(Case(contract), "export") is None
    assert outcome_of(Case(contract), "onnx") is None


@pytest.mark.parametrize(
    ("name", "check", "code"),
    [
        ("UnrollsTheBatch", "export", "for row in x"),
        ("BranchesByValue", "export", "return y * 2 if y.sum() > 0 else y"),
        ("BesselFunction", "onnx", "torch.special.bessel_j0"),
    ],
)
def test_the_line_is_named(name: str, check: str, code: str) -> None:
    contract = fault(name)
    lines, first = inspect.getsourcelines(type(contract.build()))
    [number] = [number for number, line in enumerate(lines, first) if code in line]
    outcome = outcome_of(Case(contract), check)
    assert isinstance(outcome, ContractViolation)
    [finding] = outcome.findings
    assert Path(finding.place).name == f"exporters.py:{number}"
    # One screen line or two, not the exporter's pages.
    assert len(str(finding)) < 300


@pytest.mark.parametrize("name", ["StatelessSymbolicContext", "DimDynamic", "ShapeEnv"])
def test_where_torch_has_renamed_its_internals_no_line_is_named(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(fault("UnrollsTheBatch"))
    assert list(fixed_sizes(case))
    monkeypatch.delattr(symbolic_shapes, name)
    assert list(fixed_sizes(case)) == []


@pytest.mark.parametrize("name", ["Choice", "BesselFunction"])
def test_nothing_is_left_behind_and_nothing_is_said(
    name: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    contract = GOOD.get(name) or fault(name)
    case = Case(contract)
    before = (logging.root.manager.disable, torch.get_default_dtype(), torch.is_grad_enabled())
    assert outcome_of(case, "export") is None
    caplog.clear()
    outcome_of(case, "onnx")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    after = (logging.root.manager.disable, torch.get_default_dtype(), torch.is_grad_enabled())
    assert after == before
