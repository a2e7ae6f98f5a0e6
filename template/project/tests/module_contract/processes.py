"""A slow check on two processes, which share a batch as in distributed training."""

import functools
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .case import Case, Contract
from .core import SOUND, Findings, check, isolated, outcome_of, unexpected
from .rules import Finding, NotApplicable, finding, require
from .training import backpropagate, objective, process_group, require_gloo
from .tree import difference, disagreement, join, learns, narrowed, submodules, tensors
from .watches import unguarded_line

# Samples of each process: as many as batch statistics need, and not equally many.
SHARDS = (3, 2)
EMPTY_SHARD = (5, 0)
# Seconds: for torch and the tests to be imported on a busy machine, and for the work itself.
TIME_LIMIT = 300.0
UNGUARDED = (
    "other processes import this script, and would run it: put under "
    '`if __name__ == "__main__":` the call in'
)
# What gloo says in a process that waits for another one in vain.
_DESERTED = ("closed by peer", "reset by peer", "timed out", "timeout")
_TAKE_PART = (
    "Let all processes exchange equally often: with an empty shard of the batch too, and whatever "
    "is in it."
)
_REDUCE = (
    "Reduce in training what changes it (`torch.distributed.all_reduce`), or opt out and say in "
    "the docstring that it is of one process alone."
)

Tensors = dict[str, Tensor]
Part = Callable[[Case, int, Path], Findings]


@check(SOUND, "gradients", "data_parallel", slow=True)
def two_processes(case: Case) -> Findings:
    """Two processes that share a batch get the gradients and the statistics of a single one."""
    require_gloo()
    require(not (line := unguarded_line()), f"{UNGUARDED} {line}")
    case.require_batch(of_output=False)
    module = case.build()
    require(learns(module) or own_buffers(module), "nothing in it learns or counts")
    try:
        contract = pickle.dumps(case.contract)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotApplicable(f"another process cannot import it: {error}") from None
    order = tuple(module.state_dict())
    found = [*together(functools.partial(train, order=order), contract)]
    if not found and outcome_of(case, "empty_batch") is None:
        found = [*together(call_with_an_empty_shard, contract)]
    yield from found


def together(part: Part, contract: bytes) -> Findings:
    """Let the processes do this; what they find."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, str(rank)) for rank in range(len(SHARDS))]
        if lost := failure_to_end(take_part, part, contract, folder):
            require(all(file.exists() for file in files), f"no other processes start here: {lost}")
            problem = f"{lost} when the module is trained on {len(SHARDS)} processes"
            yield finding("forward", problem)
            return
        results: list[Result] = [pickle.loads(file.read_bytes()) for file in files]
    failures = [result for result in results if result.found]
    left_out = [result.left_out for result in results if result.left_out]
    if left_out and not failures:
        raise NotApplicable(left_out[0])
    nearest = min((result.distance for result in failures), default=0)
    for result in failures:
        if result.distance == nearest:
            yield from result.found


def failure_to_end(job: Callable[..., None], *arguments: Any) -> str:
    """Call ``job(rank, *arguments)`` in a process for each shard, at once; which one is lost."""
    # Not forked from here, for a fork cannot use the threads that torch has started: but, where
    # there is such a thing, from a server that has imported once for all what all of them need.
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload(["torch._dynamo", __name__])
    until = time.monotonic() + TIME_LIMIT
    processes: list[multiprocessing.Process] = []
    try:
        for rank in range(len(SHARDS)):
            process = context.Process(target=job, args=(rank, *arguments), daemon=True)
            process.start()
            processes.append(process)
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
        codes = [process.exitcode for process in processes]
    except OSError as error:
        raise NotApplicable(f"no other processes start here: {error}") from None
    finally:
        for process in processes:
            process.kill()
            process.join()
    for rank, code in enumerate(codes):
        if code != 0:
            how = "does not answer" if code is None else f"ends with code {code}"
            return f"process {rank} of {len(SHARDS)} {how}"
    return ""


@dataclass(frozen=True)
class Result:
    """What one process has to say."""

    found: tuple[Finding, ...] = ()
    left_out: str = ""
    # How near to the cause: an error, then the other process deserted by it, then wrong values.
    distance: int = 2


def take_part(rank: int, part: Part, contract: bytes, folder: str) -> None:
    """Do one of the processes' part, and write what it finds to a file of that number."""
    # Ctrl-C is for the process that started this one, whose end ends this one too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    file = Path(folder, str(rank))
    file.touch()
    file.write_bytes(pickle.dumps(result_of(rank, part, contract, folder)))


def end_with_parent() -> None:
    """End this process, whatever it does, when the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def result_of(rank: int, part: Part, contract: bytes, folder: str) -> Result:
    """What this process finds; everything that it raises is a result."""
    try:
        stated: Contract = pickle.loads(contract)
    except Exception as error:
        return Result(left_out=f"another process cannot import it: {error}")
    try:
        with isolated():
            return Result(tuple(part(Case(stated), rank, Path(folder, "store"))))
    except NotApplicable as reason:
        return Result(left_out=str(reason))
    except (Exception, SystemExit) as error:
        return failure(error)


def failure(error: BaseException) -> Result:
    """What a module raised in one of two processes."""
    text = str(error).lower()
    if "finished reduction" in text:
        problem = "a parameter gets no gradient in one of two processes, and DDP waits for it"
        return Result((finding("forward", problem, "NN112"),), distance=0)
    if any(sign in text for sign in _DESERTED):
        problem = "a process waits for the other one, which does not take part"
        return Result((replace(unexpected(error, fix=_TAKE_PART), problem=problem),), distance=1)
    return Result((unexpected(error, f"on {len(SHARDS)} processes raises "),), distance=0)


def train(case: Case, rank: int, store: Path, order: tuple[str, ...]) -> Findings:
    """Take two steps with DDP; compare what the first one made with a process alone."""
    if tuple(case.build().state_dict()) != order:
        problem = "its parts come in another order in another process"
        fix = "Build them in the order of a list, not of a set, which no two processes share."
        yield finding("state_dict()", problem, fix=fix)
        return
    alone = Alone(case)
    gradients = (alone.gradients_of_shards(), alone.gradients_of_whole())
    expected = alone.buffers()
    inputs = alone.shard(SHARDS, rank)
    with process_group(store.as_uri(), rank=rank, size=len(SHARDS)):
        module = case.build()
        trained = DistributedDataParallel(module) if learns(module) else module
        step(case, trained, inputs, rank)
        actual, buffers = gradients_of(module), own_buffers(module)
        # Only the next step shows that one parameter still waits for a gradient.
        step(case, trained, inputs, rank)
        # Not `all_gather_object`, which needs numpy: torch alone does not bring it.
        files = [store.with_name(f"buffers-{one}") for one in range(len(SHARDS))]
        files[rank].write_bytes(pickle.dumps(buffers))
        distributed.barrier()
        one, other = (pickle.loads(file.read_bytes()) for file in files)
        del trained
    for name, gradient in actual.items():
        none = torch.zeros_like(gradient)
        texts = [difference([gradient], [way.get(name, none)]) for way in gradients]
        if all(texts):
            problem = f"has another gradient than in a single process: {texts[0]}"
            fix = "Let nothing in `forward` depend on the number of processes."
            yield finding(name, problem, fix=fix)
    apart = [name for name in buffers if difference([one[name]], [other[name]])]
    for name in apart:
        yield finding(name, "differs between the processes", fix=_REDUCE)
    if not apart:
        yield from other_buffers(buffers, expected)


def step(case: Case, module: nn.Module, inputs: tuple[object, ...], rank: int) -> None:
    """Forward, and backward where something learns."""
    output = case.call(module, inputs, rank)
    if learns(module):
        backpropagate(output)


def call_with_an_empty_shard(case: Case, rank: int, store: Path) -> Findings:
    """Call the module where one process has the whole batch and the other one nothing."""
    alone = Alone(case)
    expected = alone.buffers()
    with process_group(store.as_uri(), rank=rank, size=len(SHARDS)):
        module = case.build()
        case.evaluate(module, alone.shard(EMPTY_SHARD, rank))
    yield from other_buffers(own_buffers(module), expected, " where one has an empty shard")


def other_buffers(actual: Tensors, expected: Tensors, where: str = "") -> Findings:
    """The buffers that are not those of a process with the whole batch."""
    problem = f"is not what one process makes of the whole batch{where}"
    fix = "Sum counts over the processes, and weigh averages by their numbers of values."
    for name, value in expected.items():
        yield from disagreement(name, problem, [actual[name]], [value], fix=fix)


class Alone:
    """What a process on its own makes of the batch that the processes share."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.batch = case.inputs(sum(SHARDS))

    def shard(self, sizes: tuple[int, ...], rank: int) -> tuple[object, ...]:
        return narrowed(self.batch, self.case.input_axes(), sum(sizes[:rank]), sizes[rank])

    def buffers(self) -> Tensors:
        """The module's own buffers after one call, but for those that depend on chance."""
        one, other = self.case.build(), self.case.build()
        self.case.evaluate(one, self.batch)
        self.case.evaluate(other, self.batch, seed=1)
        others = own_buffers(other)
        return {
            name: value
            for name, value in own_buffers(one).items()
            if not difference([value], [others[name]])
        }

    def gradients_of_shards(self) -> Tensors:
        """The mean gradients of the shards, each taken by a module of its own."""
        found = []
        for rank in range(len(SHARDS)):
            module = self.case.build()
            step(self.case, module, self.shard(SHARDS, rank), rank)
            found.append(gradients_of(module))
        # A shard that reaches a parameter with no gradient counts as zero.
        return {
            name: torch.stack([each[name] for each in found if name in each]).sum(0) / len(SHARDS)
            for name in {**found[0], **found[1]}
        }

    def gradients_of_whole(self) -> Tensors:
        """Those of the whole batch: right where processes exchange what they normalise by."""
        module = self.case.build()
        output, axes = self.case.call(module, self.batch), self.case.output_axes()
        # In training a module may return more than was stated, whose batch is not known.
        if learns(module) and len([*tensors(output)]) == len(axes):
            parts = [
                objective(narrowed(output, axes, sum(SHARDS[:rank]), size))
                for rank, size in enumerate(SHARDS)
            ]
            torch.autograd.backward([sum(parts[1:], parts[0]) / len(SHARDS)])
        return gradients_of(module)


def own_buffers(module: nn.Module) -> Tensors:
    """Copies of all buffers but those of torch's norms, which torch documents as local."""
    return {
        join(path, name): buffer.detach().clone()
        for path, part in submodules(module)
        if not isinstance(part, nn.modules.batchnorm._NormBase)
        for name, buffer in part.named_buffers(recurse=False)
    }


def gradients_of(module: nn.Module) -> Tensors:
    """Copies of the gradients that there are."""
    return {
        name: parameter.grad.detach().clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
