"""Why a model cannot be exported, in terms of its own source.

The rules are those of the module contract. Their one core is ``tests/module_contract`` in the
repository, which is asked wherever it is there; an installed wheel has only the error's text.
"""

import functools
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..command import InputError, iter_causes, silence

_SUITE = Path(__file__).parents[3] / "tests" / "module_contract" / "__init__.py"


def refuse_broken_contracts(model: nn.Module, inputs: Mapping[str, Tensor]) -> None:
    """Refuse a model that breaks a rule which every export needs; what runs is a copy of it.

    An artefact can hold only what the model registers, computes the same each time and runs where
    no device has the name of one of ours. A breach is named by its line, whatever the target would
    make of it: some would write an artefact that is wrong.

    Args:
        model: in evaluation mode, on the CPU
        inputs: an example by the names of forward's parameters; where all tensors in it are
            equally long, their first dimension is taken for the batch, of any size

    Raises:
        InputError: says which rule is broken, where, and what to do
    """
    if suite := _suite():
        # Model and torch run many times here.
        with silence():
            findings = suite.run_checks(suite.Instance(model, inputs))
        if findings:
            raise _refusal(model, findings)


def explain(
    error: Exception,
    model: nn.Module | None,
    log_path: Path,
    inputs: Mapping[str, Tensor] | None = None,
) -> InputError:
    """Return what to report of an exporter's error; the whole trace goes into the log.

    Args:
        error: raised by an exporter, or by whatever else was to take the model
        model: the one that was to be exported; None where it could not even be built
        log_path: where to write the trace
        inputs: an example by the names of forward's parameters; with it, more lines can be named
    """
    if suite := _suite():
        known = model is not None and inputs is not None
        contract = suite.Instance(model, inputs) if known else None
        with silence():
            found = suite.explain_error(error, contract, callers=str(Path(__file__).parent))
    else:
        *_, first = iter_causes(error)
        text = str(first).strip().partition("\n")[0].rstrip(".") or "no message"
        found = [f"{type(first).__name__}: {text}."]
    reason = _refusal(model, found)
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as failed:
        return InputError(f"{reason} The whole trace cannot be written: {failed.strerror}.")
    return InputError(f"{reason} The whole trace is in {log_path}.")


def _refusal(model: nn.Module | None, findings: Sequence[Any]) -> InputError:
    name = "The model" if model is None else type(model).__name__
    codes = dict.fromkeys(re.findall(r"(?m)^NN\d+", "\n".join(map(str, findings))))
    more = f"docs/module-contract.md explains {', '.join(codes)}." if codes else ""
    if len(findings) == 1:
        return InputError(f"{name} cannot be exported. {findings[0]} {more}".rstrip())
    lines = "".join(f"\n  {finding}" for finding in findings)
    return InputError(f"{name} cannot be exported:{lines}\n{more}".rstrip())


@functools.cache
def _suite() -> Any:
    """Return the contract suite of the repository that this runs in; None where there is none."""
    if not _SUITE.is_file():
        return None
    # By its file, for `tests` is whatever the working folder makes of it.
    name = f"_contract_of_{__name__.partition('.')[0]}"
    spec = importlib.util.spec_from_file_location(name, _SUITE)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    return suite
