"""The suite itself: opt-outs, repeatable answers, and nothing left behind."""

import logging
import random

import numpy
import pytest
import torch
from breaches.attributes import UnusedLinear
from breaches.containers import InList
from breaches.forward import DropoutAlways
from good import GOOD
from module_contract import ContractViolation, ModuleContract, run_checks
from module_contract.case import Case
from module_contract.core import CHECKS, Stage, in_order, outcome_of, prerequisites
from stated import stated
from torch import distributed, nn


def codes(contract: object) -> list[str | None]:
    return [finding.code for finding in run_checks(contract)]


def test_an_opt_out_leaves_one_check_out() -> None:
    assert set(codes(stated(DropoutAlways))) == {"NN402"}
    assert "NN402" not in codes(stated(DropoutAlways, opt_out={"eval_determinism": "it samples"}))


def test_checks_behind_an_opt_out_still_run() -> None:
    findings = run_checks(stated(InList, opt_out={"registry": "to see what follows"}))
    assert {finding.check for finding in findings} == {"devices"}
    findings = run_checks(stated(UnusedLinear, opt_out={"gradients": "to see what follows"}))
    assert {(finding.check, finding.code) for finding in findings} == {("data_parallel", "NN112")}


@pytest.mark.parametrize(
    ("opt_out", "says"),
    [
        ({"vmaps": "no such check"}, "vmaps: there is no check of that name"),
        ({"vmap": ""}, "vmap: has no reason"),
        ({"vmap": "  "}, "vmap: has no reason"),
        ({"vmap": None}, "vmap: has no reason"),
    ],
)
def test_an_opt_out_needs_a_check_and_a_reason(opt_out: dict[str, str], says: str) -> None:
    findings = run_checks(stated(lambda: nn.Linear(4, 4), opt_out=opt_out))
    assert [finding.check for finding in findings] == ["opt_outs"]
    assert says in str(findings[0])
    contract = type("TestIt", (ModuleContract,), {"opt_out": opt_out})()
    with pytest.raises(ContractViolation, match=says):
        contract.test_opt_outs()


def test_every_check_is_an_inherited_test_with_a_sentence() -> None:
    for name, check in CHECKS.items():
        test = getattr(ModuleContract, f"test_{name}")
        assert test.__doc__ == check.function.__doc__
        assert (check.function.__doc__ or "").endswith(".")


def test_every_check_waits_for_known_ones_only() -> None:
    for check in CHECKS.values():
        assert set(check.after) <= {*CHECKS, *Stage}
        awaited = prerequisites(check)
        assert check.calls_forward or not any(one.calls_forward for one in awaited)
        # A stage that is proved only once later ones are would never come to an end.
        assert all((one.proves or 0) <= check.proves for one in awaited if check.proves)


def test_causes_come_first_and_each_check_after_those_that_it_waits_for() -> None:
    order = in_order()
    assert sorted(one.name for one in order) == sorted(CHECKS)
    for at, check in enumerate(order):
        assert set(prerequisites(check)) <= set(order[:at])
    assert [one.name for one in order if one.slow] == [one.name for one in order[-5:]]
    assert order[0].name == "construction"


@pytest.mark.parametrize("name", ["OnlyBuffers", "DropoutByMode", "Lazy", "TiedEmbedding"])
def test_the_order_of_checks_changes_nothing(name: str) -> None:
    fast = [check.name for check in CHECKS.values() if not check.slow]
    texts = []
    for order in (fast, fast[::-1], random.Random(0).sample(fast, len(fast))):
        case = Case(GOOD[name])
        torch.rand(7)  # the state of the generators is no part of an answer
        texts.append({check: str(outcome_of(case, check)) for check in sorted(order)})
    assert texts[0] == texts[1] == texts[2]


def settings() -> list[object]:
    return [
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.is_autocast_enabled("cpu"),
        distributed.is_initialized(),
        logging.root.manager.disable,
        logging.getLogger("torch.__trace").disabled,
        torch.get_rng_state().tolist(),
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        nn.Module.__init__,
        nn.Module.__setattr__,
        nn.Module.add_module,
        nn.Parameter.__new__,
    ]


class ChangesGlobals(nn.Linear):
    """It draws numbers and turns every switch, when it is built and when it is called."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        random.random()
        numpy.random.rand()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return super().forward(x)


@pytest.mark.parametrize(
    "contract",
    [
        GOOD["Choice"],
        stated(ChangesGlobals),
        stated(InList),
        stated(lambda: nn.ModuleDict({"keys": nn.ReLU()})),
    ],
    ids=["good", "changes globals", "breach", "cannot be built"],
)
@pytest.mark.parametrize("determinism", [False, True])
def test_nothing_is_left_behind(contract: object, determinism: bool) -> None:
    torch.use_deterministic_algorithms(determinism, warn_only=determinism)
    try:
        with torch.set_grad_enabled(determinism):
            before = settings()
            run_checks(contract)
            assert settings() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_default_dtype_may_be_double() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert run_checks(GOOD["Choice"]) == []
    finally:
        torch.set_default_dtype(torch.float32)
