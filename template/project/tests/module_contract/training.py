"""Checks of training: gradients, a step, recomputed activations, wrappers for many processes."""

import datetime
import functools
import gc
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.gradcheck import GradcheckError
from torch.autograd.gradcheck import gradcheck as agree
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from .case import Case
from .core import SOUND, Findings, check, unexpected
from .rules import NotApplicable, finding, require
from .tree import difference, disagreement, join, learns, submodules, tensors

# Where a little rounding may choose something else, and a gradient is by convention.
CHOICES = {"argmax", "argmin", "argsort", "bucketize", "ceil", "floor", "multinomial", "round"}
CHOICES |= {"searchsorted", "sign", "sort", "topk"}
# A part of torch that it leaves without types.
_DISTRIBUTED: Any = distributed
# How long a process waits for another one that takes no part.
PATIENCE = datetime.timedelta(seconds=15)


def differentiable(tree: object) -> list[Tensor]:
    return [value for _, value in tensors(tree) if value.requires_grad]


def cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert as `.half()` and `.double()` do: `.to(dtype)` would cut complex state."""
    module._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def make_double(module: nn.Module) -> None:
    module.double()
    module._apply(lambda tensor: tensor.to(torch.complex128) if tensor.is_complex() else tensor)


def objective(output: object) -> Tensor:
    """A scalar in which every output element counts differently, so that no gradient cancels."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(())
    for tensor in differentiable(output):
        real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        weights = torch.rand(real.shape, generator=generator).to(real) + 0.5
        total = total + (real * weights).sum()
    require(total.requires_grad, "nothing in the output is differentiable")
    return total


def backpropagate(output: object) -> None:
    torch.autograd.backward([objective(output)])


@check(SOUND, "finite_output", repeats=("NN105", "NN106", "NN108", "NN401"))
def gradients(case: Case) -> Findings:
    """Every parameter gets a finite gradient, and so does an input."""
    module = case.build()
    called: set[int] = set()
    hooks = [
        part.register_forward_pre_hook(lambda part, _: called.add(id(part)))
        for _, part in submodules(module)
    ]
    for _ in range(2):  # what takes turns shows its other side in the second call
        inputs = case.inputs(gradients=True)
        backpropagate(case.call(module, inputs))
        if all(value.grad is not None for value in module.parameters() if value.requires_grad):
            break
    for hook in hooks:
        # A module may be shared, an activation that is a default argument say.
        hook.remove()
    without: list[str] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            without.append(name)
        elif parameter.grad is not None and not parameter.grad.to_dense().isfinite().all():
            yield finding(name, "its gradient is not finite")
    yield from unused(module, without, called)
    leaves = differentiable(inputs)
    # What depends on the input's shape alone, as a table of positions does, has no gradient there.
    depends = leaves and difference(case.call(module, case.inputs(seed=1)), case.call(module))
    if depends and all(leaf.grad is None for leaf in leaves):
        problem = "no floating-point input gets a gradient"
        yield finding("inputs", problem, fix="Remove the `detach()` on the way.")


def unused(module: nn.Module, without: list[str], called: set[int]) -> Findings:
    """Parameters without gradient: whole modules that nothing calls, then single ones."""
    missing = set(without)
    reported: tuple[str, ...] = ()
    for path, part in submodules(module):
        own = {join(path, name) for name, value in part.named_parameters() if value.requires_grad}
        idle = own and own <= missing and called.isdisjoint(map(id, part.modules()))
        if path and idle and not path.startswith(reported):
            reported += (f"{path}.",)
            problem = f"nothing calls this {type(part).__name__}: its parameters get no gradient"
            yield finding(path, problem, "NN112")
    for name in without:
        if not name.startswith(reported):
            fix = "Use it in `forward`, and detach nothing between it and the output."
            yield finding(name, "gets no gradient", fix=fix)


@check(SOUND, "gradients", in_forward=True)
def optimizer_step(case: Case) -> Findings:
    """A step of an optimizer moves every parameter that has a gradient other than zero."""
    module = case.build()
    learning = {name: value for name, value in module.named_parameters() if value.requires_grad}
    require(learning, "no parameter learns")
    optimizer = torch.optim.SGD(learning.values(), lr=1.0)
    for _ in range(2):
        module.train()
        optimizer.zero_grad()
        backpropagate(case.call(module, case.inputs()))
        module.eval()
    before = {name: value.detach().clone() for name, value in learning.items()}
    optimizer.step()
    now = dict(module.named_parameters())
    for name, parameter in learning.items():
        if now.get(name) is not parameter:
            problem = "is replaced between steps; the optimizer moves the old one"
            yield finding(name, problem, "NN204")
        elif parameter.grad is not None and parameter.numel():
            # A gradient may be too small to change the parameter, at the learning rate 1 even.
            least = max(1e-6, torch.finfo(parameter.dtype).eps)
            steepest, largest = parameter.grad.to_dense().abs().max(), before[name].abs().max()
            moves = steepest > least * largest and steepest > 0
            if moves and torch.equal(parameter, before[name]):
                yield finding(name, "does not move although it has a gradient")


class PrecisionWatch(TorchFunctionMode):
    """Notes whether a module leaves double precision, as norms in float32 do, and what it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.lowered = False
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.names.add(getattr(func, "__name__", ""))
        given = {tensor.dtype for _, tensor in tensors((args, kwargs))}
        given_back = {tensor.dtype for _, tensor in tensors(result)}
        if torch.float64 in given and given_back & {torch.float32, torch.bfloat16, torch.float16}:
            self.lowered = True
        return result


@check(SOUND, "gradients", "precision", "double", "changed_context")
def gradcheck(case: Case) -> Findings:
    """In eval mode and double precision, gradients agree with finite differences."""
    module = case.build(training=False)
    make_double(module)
    inputs = case.inputs(dtype=torch.float64, gradients=True)
    with PrecisionWatch() as watch:
        output = case.call(module, inputs)
    if watch.lowered:
        raise NotApplicable("forward computes in a lower precision than finite differences need")
    candidates = {
        path: value
        for path, value in (*tensors(inputs, "inputs"), *module.named_parameters())
        if value.requires_grad
    }
    require(candidates, "nothing is differentiable")
    found = torch.autograd.grad([objective(output)], list(candidates.values()), allow_unused=True)
    # An input that no gradient reaches, such as a target's sign, stays as it is; finite
    # differences know no sparse gradients.
    varied = {
        path: value
        for (path, value), gradient in zip(candidates.items(), found, strict=True)
        if gradient is not None and not gradient.is_sparse
    }
    require(varied, "all gradients are sparse")

    def compute(*_: Tensor) -> tuple[Tensor, ...]:
        # Finite differences change the varied tensors where they are, parameters included.
        return tuple(differentiable(case.call(module, inputs)))

    try:
        agree(compute, list(varied.values()), fast_mode=True, check_undefined_grad=False)
    except GradcheckError as error:
        require(not watch.names & CHOICES, "the gradient through what is rounded is a choice")
        text = str(error).strip().splitlines()[0].rstrip(",.")
        number = re.search(r"input (\d+)", text)
        path = list(varied)[int(number[1])] if number else "backward"
        fix = "Compare `backward` with the derivative of `forward`."
        yield finding(path, f"its gradient is not the one of finite differences: {text}", fix=fix)


@check(SOUND)
def activation_checkpointing(case: Case) -> Findings:
    """Recomputed in the backward pass, the output is the same and buffers count once."""
    plain, recomputed = case.build(), case.build()
    recomputing = functools.partial(checkpoint, recomputed, use_reentrant=False)
    expected = case.call(plain, case.inputs(gradients=True))
    actual = case.call(recomputing, case.inputs(gradients=True))
    backpropagate(expected)
    backpropagate(actual)
    yield from disagreement("forward", "another output", actual, expected)
    problem = "is updated again when the forward is recomputed"
    fix = "Update it in a method called once a step, or opt out and do not recompute this module."
    twice = False
    for name, buffer in recomputed.named_buffers():
        found = list(disagreement(name, problem, buffer, plain.get_buffer(name), fix=fix))
        twice = twice or bool(found)
        owner = recomputed.get_submodule(name.rpartition(".")[0])
        # Torch's own batch norms count twice: a known limit of theirs, not of their user.
        theirs = isinstance(owner, _NormBase) or type(owner).__module__.startswith("torch.nn.")
        # Others' modules are as right: to recompute them is a choice of who calls them.
        if case.contract.strict and not theirs:
            yield from found
    if twice:
        return
    problem = "its gradient changes when the forward is recomputed"
    yield from other_gradients(recomputed, plain, problem)


def other_gradients(module: nn.Module, plain: nn.Module, problem: str) -> Findings:
    """Where a module has other gradients than the one that was trained plainly."""
    expected = dict(plain.named_parameters())
    for name, parameter in module.named_parameters():
        yield from disagreement(name, problem, [parameter.grad], [expected[name].grad])


def require_gloo() -> None:
    available = distributed.is_available() and distributed.is_gloo_available()
    require(available, "torch is built without torch.distributed over gloo")


@contextmanager
def process_group(address: str = "", *, rank: int = 0, size: int = 1) -> Iterator[None]:
    """Be in the group that meets at an address, or in one alone; leave no DDP wrapper behind."""
    require_gloo()
    require(not distributed.is_initialized(), "a process group exists already")
    store = None if address else _DISTRIBUTED.HashStore()
    # What is there before cannot refer to a wrapper, and takes a tenth of a second to look through.
    gc.freeze()
    options: Any = {"rank": rank, "world_size": size, "timeout": PATIENCE}
    try:
        distributed.init_process_group("gloo", address or None, store=store, **options)
    except RuntimeError as error:
        gc.unfreeze()
        raise NotApplicable(f"gloo does not start here: {error}") from None
    try:
        yield
        if size > 1:
            # Who leaves early takes away what the others may still be talking to.
            distributed.barrier()
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        # Whoever lets go of the group last waits for gloo's threads, which need Python's lock to
        # let go of their last tensors. torch.distributed waits without that lock, a DDP wrapper
        # with it, for ever: it has to be gone by now, out of any cycle too.
        gc.collect()
        gc.unfreeze()
        distributed.destroy_process_group()


@check(SOUND, "gradients")
def data_parallel(case: Case) -> Findings:
    """Under DistributedDataParallel two steps give the same outputs and gradients as without."""
    require(learns(case.build()), "no parameter learns")
    with process_group():
        plain, module = case.build(), case.build()
        wrapped = DistributedDataParallel(module)
        try:
            for _ in range(2):
                expected, actual = case.call(plain), case.call(wrapped)
                backpropagate(expected)
                backpropagate(actual)
        except RuntimeError as error:
            if "finished reduction" in str(error):
                problem = "a parameter gets no gradient, which DDP waits for"
                yield finding("forward", problem, "NN112")
            else:
                yield unexpected(error)
            return
        finally:
            del wrapped
        yield from disagreement("forward", "another output under DDP", actual, expected)
        yield from other_gradients(module, plain, "another gradient under DDP")


@check(SOUND)
def sharding(case: Case) -> Findings:
    """`fully_shard` accepts it: no parameter is without a dimension, and forward runs sharded."""
    module = case.build()
    scalars = [name for name, value in module.named_parameters() if not value.dim()]
    for name in scalars:
        problem = "has no dimension, which fully_shard refuses"
        yield finding(name, problem, fix="Give it the shape (1,).")
    if scalars:
        return
    require(learns(module), "no parameter learns")
    with process_group():
        # Imported here: most runs of a single check never need it.
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        expected, module = case.call(case.build()), case.build()
        fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
        problem = "another output when sharded"
        yield from disagreement("forward", problem, case.call(module), expected)
