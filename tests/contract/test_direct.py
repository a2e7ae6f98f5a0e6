"""Any module is held to the contract by one call, whatever its inputs look like."""

import copy
import dataclasses
import sys
from collections import namedtuple
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from module_contract import ContractViolation, assert_contract, check_module, contract_case, stated
from module_contract.case import Case
from module_contract.core import CHECKS, outcome_of
from stated import WithLinear
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import prune

ROWS = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


class Good(nn.Module):
    """A linear layer."""

    def __init__(self, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Twice(nn.Module):
    """It breaks two rules that have nothing to do with each other."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)
        self.make = lambda: None

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass
class Batch:
    rows: Tensor
    more: list[Tensor]


class OfPair(Good):
    def forward(self, pair: Pair) -> Tensor:
        return self.linear(pair.left) + pair.right


class OfList(Good):
    def forward(self, listed: list[Tensor]) -> Tensor:
        return self.linear(listed[0]) + listed[1]


class OfBatch(Good):
    def forward(self, batch: Batch, scale: float = 1.0) -> Tensor:
        return scale * self.linear(batch.rows) + batch.more[0]


@pytest.mark.parametrize(
    ("build", "inputs"),
    [
        (Good, ROWS),
        (Good, (ROWS,)),
        (Good, {"x": ROWS}),
        (Good, lambda batch: torch.randn(batch, 4)),
        (Good, lambda batch: {"x": torch.randn(batch, 4)}),
        (lambda **options: Good(**options), ROWS),
        (Good(), ROWS),
        (OfPair, Pair(ROWS, ROWS)),
        (OfList, [ROWS, ROWS]),
        (OfBatch, Batch(ROWS, [ROWS])),
        (OfBatch, (Batch(ROWS, [ROWS]), 2.0)),
        (OfBatch, {"batch": Batch(ROWS, [ROWS])}),
        (OfBatch(), lambda batch: Batch(torch.randn(batch, 4), [torch.randn(batch, 4)])),
    ],
)
def test_a_good_module_has_no_findings(build: Any, inputs: Any) -> None:
    assert check_module(build, inputs) == []
    assert_contract(build, inputs)


def test_a_finding_says_what_where_and_what_to_do() -> None:
    found = {one.code: one for one in check_module(Twice, ROWS)}
    assert set(found) == {"NN112", "NN501"}
    one = found["NN501"]
    line = Twice.__init__.__code__.co_firstlineno + 4
    assert (one.name, one.attribute) == ("unpicklable-attribute", "make")
    assert one.place.endswith(f"test_direct.py:{line}")
    assert one.message.startswith("make: ")
    assert one.fix == one.rule.fix


def test_all_findings_are_raised_at_once() -> None:
    with pytest.raises(ContractViolation) as error:
        assert_contract(Twice, ROWS)
    assert {one.code for one in error.value.findings} == {"NN112", "NN501"}
    assert len(str(error.value).splitlines()) == len(error.value.findings)


def test_a_module_that_exists_is_left_as_it_is() -> None:
    module = nn.Sequential(Good(), nn.BatchNorm1d(4), nn.Dropout(0.5)).eval()
    module[0].requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    assert check_module(module, ROWS) == []
    assert not module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_module_that_exists_is_held_to_what_its_class_is_held_to() -> None:
    assert {one.code for one in check_module(Twice(), ROWS)} == {"NN112", "NN501"}


def test_device_and_dtype_reach_what_takes_them() -> None:
    case = Case(stated(Good, ROWS))
    assert outcome_of(case, "device_argument") is None
    assert outcome_of(case, "dtype_argument") is None
    case = Case(stated(Twice, ROWS))
    assert str(outcome_of(case, "device_argument")) == "build() takes no `device`"


class Swallows(Good):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings


def test_a_class_that_takes_any_name_is_given_none() -> None:
    assert check_module(Swallows, ROWS) == []


def test_the_first_dimension_that_all_tensors_share_is_the_batch() -> None:
    assert Case(stated(Good, ROWS)).input_axes() == [0]
    assert Case(stated(OfPair, Pair(ROWS, ROWS))).input_axes() == [0, 0]
    assert Case(stated(OfPair, Pair(ROWS, ROWS[0]))).input_axes() == [None, None]
    (small,) = stated(Good, ROWS).inputs(2)
    (large,) = stated(Good, ROWS).inputs(5)
    assert torch.equal(small, ROWS[:2])
    assert torch.equal(large, ROWS[[0, 1, 2, 0, 1]])


class Wrapped(nn.Module):
    def __init__(self, wrap: Callable[[nn.Module], nn.Module], **options: Any) -> None:
        super().__init__()
        self.inner = wrap(nn.Linear(4, 4, **options))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class Reset(Wrapped):
    def reset_parameters(self) -> None:
        self.inner.weight = nn.init.xavier_uniform_(torch.empty_like(self.inner.weight))


def masked(module: nn.Module) -> nn.Module:
    return prune.l1_unstructured(module, "weight", amount=0.5)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("wrap", [utils.weight_norm, utils.spectral_norm, masked])
def test_what_hooks_of_torch_compute_is_no_attribute_of_the_author_s(wrap: Any) -> None:
    module = Wrapped(wrap)
    assert check_module(module, ROWS) == []
    assert module.inner.weight.grad_fn or wrap is utils.spectral_norm
    found = check_module(lambda: Wrapped(wrap), ROWS)
    assert {one.check for one in found} <= {"deep_copy", "meta_initialisation"}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_the_newer_weight_norm_is_what_to_use() -> None:
    copied, *unwritten = check_module(lambda **named: Wrapped(utils.weight_norm, **named), ROWS)
    assert copied.check == "deep_copy"
    assert copied.fix.startswith("Use `torch.nn.utils.parametrizations`")
    assert [one.attribute for one in unwritten] == ["inner.weight_g", "inner.weight_v"]
    assert unwritten[0].fix.startswith("Use `torch.nn.utils.parametrizations.weight_norm`, and ")
    newer = utils.parametrizations.weight_norm
    assert check_module(lambda **named: Reset(newer, **named), ROWS) == []


@pytest.mark.parametrize("shape", [("batch", 4), lambda batch: (batch, 4)])
def test_a_stated_shape_holds_for_each_batch(shape: Any) -> None:
    assert check_module(Good, ROWS, output_shape=shape, parameter_count=20) == []
    (found,) = check_module(nn.Flatten, ROWS[:, None], output_shape=("batch", 5))
    assert found.message == "output_shape: returns shape (3, 4), stated is (3, 5)."


class Transposed(Good):
    def forward(self, x: Tensor) -> Tensor:
        return x.mT @ self.linear(x)


@pytest.mark.parametrize("example", [ROWS, ROWS.repeat(2, 1), lambda batch: torch.ones(batch, 4)])
def test_a_stated_shape_of_one_batch_is_the_statement_s_fault(example: Any) -> None:
    size = len(example) if isinstance(example, Tensor) else 3
    (found,) = check_module(Good, example, output_shape=(size, 4))
    assert found.attribute == "output_shape"
    assert found.problem == (
        f"is ({size}, 4) for any number of samples, but two give (2, 4) and three (3, 4)"
    )
    assert found.fix == 'State it as `("batch", 4)`.'
    found = check_module(Transposed, example, output_shape=(4, 4))
    assert "output_shape" not in {one.attribute for one in found}


DTYPES = (torch.float16, torch.bfloat16, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(4, 4),
        lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.GELU(), nn.LayerNorm(4)),
        nn.Softsign,
    ],
)
def test_a_module_in_another_precision_has_no_findings(build: Any, dtype: torch.dtype) -> None:
    assert check_module(build().to(dtype), ROWS.to(dtype)) == []
    assert check_module(lambda: nn.Sequential(build()).to(dtype), ROWS.to(dtype)) == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_exports_and_processes_take_another_precision(dtype: torch.dtype) -> None:
    assert check_module(nn.Linear(4, 4).to(dtype), ROWS.to(dtype), slow=True) == []


class Raises(Good):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).to(torch.float32)


def test_an_output_of_another_precision_is_found_in_each() -> None:
    found = check_module(lambda: Raises(dtype=torch.bfloat16), ROWS.bfloat16())
    (one,) = [one for one in found if one.check == "output_dtype"]
    assert one.problem == "is torch.float32 where inputs and parameters are torch.bfloat16"
    found = check_module(lambda: Good().double(), lambda batch: torch.randn(batch, 4).double())
    assert found == []


def test_opt_outs_leave_checks_out() -> None:
    opt_out = {"gradients": "kept for later", "data_parallel": "likewise"}
    assert {one.code for one in check_module(Twice, ROWS, opt_out=opt_out)} == {"NN501"}


class Narrow(nn.Module):
    def __init__(self, width: int, *, depth: int) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: check_module(3, ROWS), TypeError, "build must be a subclass of nn.Module, "),
        (lambda: check_module(dict, ROWS), TypeError, "; it is <class 'dict'>"),
        (lambda: check_module(Good, ROWS, vmap=1), TypeError, "there is no argument `vmap`"),
        (lambda: check_module(Good, 3), TypeError, "inputs must be a tensor, "),
        (lambda: check_module(Good, None), TypeError, "inputs must be a tensor, "),
        (lambda: check_module(Good, ROWS.numpy()), TypeError, "; it is array([["),
        (lambda: check_module(Good, nn.ReLU()), TypeError, "inputs must be a tensor, "),
        (lambda: check_module(Good, Good), TypeError, "inputs must be a tensor, "),
        (lambda: check_module(Good, lambda: ROWS), TypeError, "inputs must take the number of"),
        (lambda: contract_case(lambda: ROWS), TypeError, "inputs must take the number of samples"),
        (lambda: contract_case(ROWS)(Good), TypeError, "decorate a function that returns Good("),
        (lambda: contract_case(ROWS)(Good()), TypeError, "decorate a function that returns Good"),
        (lambda: check_module(Good, ROWS[:0]), ValueError, "inputs are a batch of no samples; "),
        (lambda: check_module(Good, ROWS.to("meta")), ValueError, "inputs are on the meta device"),
        (
            lambda: check_module(Good("meta"), ROWS),
            ValueError,
            "the module's `linear.weight` is on",
        ),
        (
            lambda: check_module(Good, ROWS, output_shapes=(3, 4)),
            TypeError,
            "there is no argument `output_shapes`; did you mean `output_shape`?",
        ),
        (
            lambda: check_module(Good, ROWS, output_shape=("bacth", 4)),
            ValueError,
            "output_shape: 'bacth' is not a size",
        ),
        (
            lambda: check_module(Good, ROWS, output_shape=lambda: (3, 4)),
            TypeError,
            "output_shape must take the number of samples",
        ),
        (lambda: check_module(Good, ROWS, torchscript="yes"), TypeError, "must be True or False"),
        (
            lambda: check_module(Narrow, ROWS),
            TypeError,
            "Narrow cannot be called without `width`, `depth`; "
            "pass `lambda: Narrow(width=..., depth=...)`",
        ),
        (
            lambda: check_module(Good, ROWS, parameter_count="20"),
            TypeError,
            "parameter_count must be an int",
        ),
        (
            lambda: check_module(Good, ROWS, slow="yes"),
            TypeError,
            "slow must be True or False; it ",
        ),
        (
            lambda: check_module(Good, ROWS, opt_out=["vmap"]),
            TypeError,
            "opt_out must map the names of checks to reasons",
        ),
        (
            lambda: check_module(Good, ROWS, opt_out={"vmaps": "no such check"}),
            ValueError,
            "opt_out: vmaps: there is no check of that name. Did you mean `vmap`?",
        ),
        (
            lambda: check_module(Good, ROWS, opt_out={"NN301": "it is for one GPU"}),
            ValueError,
            "opt_out: NN301: is a rule, not a check. Name the check that finds it: ",
        ),
        (
            lambda: check_module(Good, ROWS, opt_out={"vmap": " "}),
            ValueError,
            "opt_out: vmap: has no reason. Say why the module cannot keep it.",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    call: Callable[[], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as raised:
        call()
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def stops() -> nn.Module:
    sys.exit("no module today")


@pytest.mark.parametrize(
    ("build", "inputs", "says"),
    [
        (lambda: 3, ROWS, "construction: build(): returns a value of type `int`, which is not an"),
        (
            lambda: Good,
            ROWS,
            "returns the class `Good`, which is not an `nn.Module`. Call it: `Good",
        ),
        (lambda: Good("meta"), ROWS, "build(): returns a module on the meta device, without valu"),
        (stops, ROWS, "the constructor raises SystemExit: no module today."),
        (Good, {"rows": ROWS}, "inputs: do not fit forward: missing a required argument: 'x'. `fo"),
        (Good, {"x": ROWS, "y": ROWS}, "got an unexpected keyword argument 'y'. `forward` takes `"),
        (Good, (ROWS, ROWS), "inputs: do not fit forward: too many positional arguments. "),
        (Good, lambda batch: ROWS / (batch * 0 or [][0]), "inputs(3) raises IndexError: list ind"),
        (Good, lambda batch: torch.ones(batch, 4, device="meta"), "inputs(3) raises "),
        (Good, (3,), "must be Tensor, not int."),
    ],
)
def test_what_cannot_be_built_or_called_is_one_finding(build: Any, inputs: Any, says: str) -> None:
    (found,) = check_module(build, inputs)
    assert says in str(found)
    assert "\n" not in str(found)


def test_an_output_shape_that_raises_is_one_finding() -> None:
    (found,) = check_module(Good, ROWS, output_shape=lambda batch: (batch // 0, 4))
    assert "output_shape(3) raises ZeroDivisionError" in str(found)


def test_a_module_in_eval_mode_is_held_to_the_same() -> None:
    assert check_module(Good().eval(), ROWS) == []
    assert {one.code for one in check_module(Twice().eval(), ROWS)} == {"NN112", "NN501"}


def test_repr_and_examples_are_not_asked_of_any_module() -> None:
    contract = stated(Good, ROWS)
    left_out = {name for name, check in CHECKS.items() if not check.is_asked_of(contract)}
    assert left_out == {"representation", "examples"}


@contract_case(lambda batch: torch.randn(batch, 4), output_shape=("batch", 4), parameter_count=20)
def good_layer(**options: Any) -> nn.Module:
    """Return a layer whose tests these are."""
    return Good(**options)


def test_a_decorated_function_is_a_class_of_tests() -> None:
    assert good_layer.__name__ == "good_layer"
    assert good_layer.__doc__ == "Return a layer whose tests these are."
    assert outcome_of(Case(good_layer()), "device_argument") is None
    assert outcome_of(Case(good_layer()), "parameters") is None


class ReadyAfterOneBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(4))
        self.ready = False

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.ready:
            with torch.no_grad():
                self.shift.copy_(-x.mean(0))
            self.ready = True
        return x + self.shift


class CountsInABuffer(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.steps.add_(1)
        return self.linear(x) * (0.1 * (self.steps + 1)).clamp(max=1.0)


class TakesTurns(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(4, 4)
        self.even = True

    def forward(self, x: Tensor) -> Tensor:
        self.even = not self.even
        return self.linear(x) if self.even else self.other(x)


class KeepsByLengthOnTheClass(nn.Module):
    kept: ClassVar[dict[int, Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        if len(x) not in self.kept:
            self.kept[len(x)] = torch.linspace(0, 1, x.shape[-1], device=x.device)
        return x * self.kept[len(x)].to(x.dtype)


class ForgetsItsTable(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.linspace(0, 1, 4), persistent=False)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.table


class RenamesInStateDict(WithLinear):
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        state = super().state_dict(*args, **kwargs)
        return {name.removeprefix("linear."): value for name, value in state.items()}

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
        state = {f"linear.{name}": value for name, value in state.items()}
        return super().load_state_dict(state, strict, assign)


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (ReadyAfterOneBatch, ["NN207"]),
        (CountsInABuffer, []),
        (TakesTurns, ["NN207"]),
        (KeepsByLengthOnTheClass, ["NN206"]),
        (ForgetsItsTable, ["NN108"]),
        (RenamesInStateDict, ["NN209"]),
    ],
)
def test_one_example_is_enough(kind: type[nn.Module], codes: list[str]) -> None:
    found = check_module(kind, torch.randn(3, 4))
    assert [one.code for one in found] == codes, "\n".join(map(str, found))
