"""The rules, a file each, named after what it finds; what several of them ask is in `shared`.

`find` takes the model of a class that is a module, `find_in_file` a whole file. A new rule gets a
line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnscaffold.check.rules import (
    ambiguous_squeeze,
    buffer_rebound,
    data_write,
    deprecated_torchscript,
    device_less_factory,
    direct_forward_call,
    graph_retained,
    hard_coded_device,
    host_sync,
    ignores_training_mode,
    input_mutated,
    late_super_init,
    missing_no_grad,
    missing_super_init,
    module_in_container,
    module_in_forward,
    non_leaf_parameter,
    parameter_in_container,
    parameter_in_forward,
    parameter_rebound,
    precision_lost,
    repeated_module,
    reserved_module_key,
    shapeless_docstring,
    shared_default,
    stale_cache,
    tensor_attribute,
    uninitialised_parameter,
    unpicklable_attribute,
    untracked_state,
    untyped_signature,
    unused_module,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nnscaffold.check.file import File
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.index import Index
    from nnscaffold.check.model import ClassModel

OF_CLASSES: tuple[Callable[[ClassModel], Iterator[Finding]], ...] = (
    missing_super_init.find,
    late_super_init.find,
    module_in_container.find,
    parameter_in_container.find,
    parameter_in_forward.find,
    module_in_forward.find,
    non_leaf_parameter.find,
    uninitialised_parameter.find,
    repeated_module.find,
    reserved_module_key.find,
    shared_default.find,
    unused_module.find,
    tensor_attribute.find,
    graph_retained.find,
    buffer_rebound.find,
    parameter_rebound.find,
    stale_cache.find,
    untracked_state.find,
    hard_coded_device.find,
    device_less_factory.find,
    precision_lost.find,
    input_mutated.find,
    ignores_training_mode.find,
    direct_forward_call.find,
    host_sync.find,
    ambiguous_squeeze.find,
    unpicklable_attribute.find,
    untyped_signature.find,
    shapeless_docstring.find,
)
OF_FILES: tuple[Callable[[File, Index], Iterator[Finding]], ...] = (
    data_write.find_in_file,
    direct_forward_call.find_in_file,
    missing_no_grad.find_in_file,
    deprecated_torchscript.find_in_file,
)
