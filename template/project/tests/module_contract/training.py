"""Checks of training: gradients, a step, recomputed activations, wrappers for many processes."""

import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError
from torch.autograd.gradcheck import gradcheck as agree
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from .core import SOUND, Case, Findings, check, unexpected
from .findings import NotApplicable, finding
from .isolation import meeting_place, process_group, require_gloo, seed_everything
from .tree import arguments, difference, submodules, tensors


def differentiable(tree: object) -> list[Tensor]:
    return [value for _, value in tensors(tree) if value.requires_grad]


def learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


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
    if not total.requires_grad:
        raise NotApplicable("nothing in the output is differentiable")
    return total


def backpropagate(output: object) -> None:
    torch.autograd.backward([objective(output)])


@check(after=(*SOUND, "finite_output"))
def gradients(case: Case) -> Findings:
    """Every parameter gets a finite gradient of its size, and so does an input."""
    module = case.build()
    called: set[int] = set()
    for _, part in submodules(module):
        part.register_forward_pre_hook(lambda part, _: called.add(id(part)))
    inputs = case.inputs(gradients=True)
    backpropagate(case.call(module, inputs))
    without: list[str] = []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            without.append(name)
        elif parameter.grad.shape != parameter.shape:
            yield finding(name, f"its gradient has shape {tuple(parameter.grad.shape)}")
        elif not parameter.grad.to_dense().isfinite().all():
            yield finding(name, "its gradient is not finite")
    yield from unused(module, without, called)
    leaves = [tensor for _, tensor in tensors(inputs) if tensor.requires_grad]
    if leaves and all(leaf.grad is None for leaf in leaves):
        problem = "no floating-point input gets a gradient"
        yield finding("inputs", problem, fix="Remove the `detach()` on the way.")


def unused(module: nn.Module, without: list[str], called: set[int]) -> Findings:
    """Parameters without gradient: whole modules that nothing calls, then single ones."""
    reported: list[str] = []
    missing = set(without)
    for path, part in submodules(module):
        own = [f"{path}.{name}" for name, value in part.named_parameters() if value.requires_grad]
        idle = (
            path and own and missing.issuperset(own) and called.isdisjoint(map(id, part.modules()))
        )
        if idle and not path.startswith(tuple(f"{above}." for above in reported)):
            reported.append(path)
            problem = f"nothing calls this {type(part).__name__}: its parameters get no gradient"
            yield finding(path, problem, "NN112")
    for name in without:
        if not name.startswith(tuple(f"{above}." for above in reported)):
            fix = "Use it in `forward`, and detach nothing between it and the output."
            yield finding(name, "gets no gradient", fix=fix)


@check(after=(*SOUND, "gradients"))
def optimizer_step(case: Case) -> Findings:
    """A step of an optimizer moves every parameter that has a gradient other than zero."""
    module = case.build()
    learning = {name: value for name, value in module.named_parameters() if value.requires_grad}
    if not learning:
        raise NotApplicable("no parameter learns")
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
            steepest, largest = parameter.grad.to_dense().abs().max(), before[name].abs().max()
            moves = steepest > 1e-6 * largest and steepest > 0
            if moves and torch.equal(parameter, before[name]):
                yield finding(name, "does not move although it has a gradient")


class PrecisionWatch(TorchFunctionMode):
    """Notes whether a module leaves double precision on the way, as norms in float32 do."""

    def __init__(self) -> None:
        super().__init__()
        self.lowered = False

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {tensor.dtype for _, tensor in tensors((args, kwargs))}
        given_back = {tensor.dtype for _, tensor in tensors(result)}
        if torch.float64 in given and given_back & {torch.float32, torch.bfloat16, torch.float16}:
            self.lowered = True
        return result


@check(after=(*SOUND, "gradients"))
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
    if not candidates:
        raise NotApplicable("nothing is differentiable")
    found = torch.autograd.grad([objective(output)], list(candidates.values()), allow_unused=True)
    # An input that no gradient reaches, such as a target's sign, stays as it is; finite
    # differences know no sparse gradients.
    varied = {
        path: value
        for (path, value), gradient in zip(candidates.items(), found, strict=True)
        if gradient is not None and not gradient.is_sparse
    }
    if not varied:
        raise NotApplicable("all gradients are sparse")

    def compute(*_: Tensor) -> tuple[Tensor, ...]:
        # Finite differences change the varied tensors where they are, parameters included.
        return tuple(differentiable(case.call(module, inputs)))

    try:
        agree(compute, list(varied.values()), fast_mode=True, check_undefined_grad=False)
    except GradcheckError as error:
        text = str(error).strip().splitlines()[0].rstrip(",.")
        number = re.search(r"input (\d+)", text)
        path = list(varied)[int(number[1])] if number else "backward"
        fix = "Compare `backward` with the derivative of `forward`."
        yield finding(path, f"its gradient is not the one of finite differences: {text}", fix=fix)


@check(after=SOUND)
def activation_checkpointing(case: Case) -> Findings:
    """Recomputed in the backward pass, the output is the same and buffers count once."""
    plain, recomputed = case.build(), case.build()
    expected = case.call(plain, case.inputs(gradients=True))
    backpropagate(expected)
    inputs = case.inputs(gradients=True)
    seed_everything(0)
    args, kwargs = arguments(inputs)
    actual = checkpoint(recomputed, *args, use_reentrant=False, **kwargs)
    backpropagate(actual)
    if text := difference(actual, expected):
        yield finding("forward", f"another output: {text}")
    twice = False
    for name, buffer in recomputed.named_buffers():
        if not (text := difference(buffer, plain.get_buffer(name))):
            continue
        twice = True
        owner = recomputed.get_submodule(name.rpartition(".")[0])
        # Torch's own batch norms count twice: a known limit of theirs, not of their user.
        if not type(owner).__module__.startswith("torch.nn."):
            fix = "Update buffers last in `forward`: recomputation stops before that."
            yield finding(name, f"is updated again when the forward is recomputed: {text}", fix=fix)
    if twice:
        return
    theirs = dict(plain.named_parameters())
    for name, parameter in recomputed.named_parameters():
        if text := difference([parameter.grad], [theirs[name].grad]):
            yield finding(name, f"its gradient changes when the forward is recomputed: {text}")


@check(after=(*SOUND, "gradients"))
def data_parallel(case: Case) -> Findings:
    """Under DistributedDataParallel two steps give the same outputs and gradients as without."""
    plain, module = case.build(), case.build()
    if not learns(module):
        raise NotApplicable("no parameter learns")
    require_gloo()
    with meeting_place() as address, process_group(address):
        wrapped = DistributedDataParallel(module)
        try:
            for _ in range(2):
                expected = case.call(plain, case.inputs())
                backpropagate(expected)
                actual = case.call(wrapped, case.inputs())
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
    if text := difference(actual, expected):
        yield finding("forward", f"another output under DDP: {text}")
    theirs = dict(plain.named_parameters())
    for name, parameter in module.named_parameters():
        if text := difference([parameter.grad], [theirs[name].grad]):
            yield finding(name, f"another gradient under DDP: {text}")


@check(after=SOUND)
def sharding(case: Case) -> Findings:
    """`fully_shard` accepts it: no parameter is without a dimension, and forward runs sharded."""
    module = case.build()
    scalars = [name for name, value in module.named_parameters() if not value.dim()]
    for name in scalars:
        problem = "has no dimension, which fully_shard refuses"
        yield finding(name, problem, fix="Give it the shape (1,).")
    if scalars:
        return
    if not learns(module):
        raise NotApplicable("no parameter learns")
    require_gloo()
    with meeting_place() as address, process_group(address):
        # Imported here: most runs of a single check never need it.
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        expected = case.call(case.build(), case.inputs())
        fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
        actual = case.call(module, case.inputs())
        text = difference(actual, expected)
    if text:
        yield finding("forward", f"another output when sharded: {text}")
