"""Checks of wrappers for many processes, in a group of one."""

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .case import Case
from .checks import SOUND, Findings, check, unexpected
from .findings import NotApplicable, finding
from .gradients import backpropagate
from .group import meeting_place, process_group, require_gloo
from .structure import difference


def require_learning(module: nn.Module) -> None:
    """Leave the check if the module has nothing that a wrapper would synchronise."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise NotApplicable("no parameter learns")


@check(after=(*SOUND, "gradients"))
def data_parallel(case: Case) -> Findings:
    """Under DistributedDataParallel two steps give the same outputs and gradients as without."""
    plain, module = case.build(), case.build()
    require_learning(module)
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
                yield finding("data_parallel", "forward", problem, "NN112")
            else:
                yield unexpected("data_parallel", error)
            return
        finally:
            del wrapped
    if text := difference(actual, expected):
        yield finding("data_parallel", "forward", f"another output under DDP: {text}")
    theirs = dict(plain.named_parameters())
    for name, parameter in module.named_parameters():
        if text := difference([parameter.grad], [theirs[name].grad]):
            yield finding("data_parallel", name, f"another gradient under DDP: {text}")


@check(after=SOUND)
def sharding(case: Case) -> Findings:
    """`fully_shard` accepts it: no parameter is without a dimension, and forward runs sharded."""
    module = case.build()
    scalars = [name for name, value in module.named_parameters() if not value.dim()]
    for name in scalars:
        problem = "has no dimension, which fully_shard refuses"
        yield finding("sharding", name, problem, advice="Give it the shape (1,).")
    if scalars:
        return
    require_learning(module)
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
        yield finding("sharding", "forward", f"another output when sharded: {text}")
