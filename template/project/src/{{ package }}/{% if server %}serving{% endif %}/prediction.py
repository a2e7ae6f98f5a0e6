"""Predictions of a trained model for samples that come from outside."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from ..checkpoints.state import load_trained
from ..command import InputError
from ..interface import Inputs
from ..task.requests import decode, encode
from ..training.device import choose_device

MAX_INPUTS = 1024
"""Samples in one request."""


class Predictor:
    """Predict with a model, one batch at a time, from any thread.

    Args:
        model: the task's
        device: where the model is
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model = model.eval()
        self._device = device
        # Two batches at once would share the cores or the GPU's memory, and neither be sooner.
        self._turn = threading.Lock()

    def predict(self, values: object) -> list[object]:
        """Return the prediction for each sample, as the task's ``requests`` encodes it.

        Args:
            values: the samples as JSON has them

        Raises:
            InputError: a sample cannot be used; the text says which one, and why
        """
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_INPUTS:
            raise InputError(f"inputs must be a list of 1 to {MAX_INPUTS} samples.")
        samples = [_decoded(number, value) for number, value in enumerate(values)]
        predictions: list[object] = [None] * len(samples)
        for numbers in _of_equal_shapes(samples):
            for number, outputs in zip(numbers, self._outputs(samples, numbers), strict=True):
                predictions[number] = _encoded(number, outputs)
        return predictions

    def _outputs(self, samples: Sequence[Inputs], numbers: Sequence[int]) -> list[Any]:
        """Return what the model returns for each of some samples that have equal shapes."""
        try:
            return self._run([samples[number] for number in numbers])
        except Exception as _:
            # One of them is the cause, or there are too many for the memory: each by itself.
            return [self._outputs_of_one(samples[number], number) for number in numbers]

    def _outputs_of_one(self, sample: Inputs, number: int) -> Any:
        try:
            (outputs,) = self._run([sample])
        except Exception as error:
            # A GPU that an index has taken down computes nothing more, whatever is sent: this
            # raises its error, for which the client is not to blame.
            torch.zeros(1, device=self._device).cpu()
            raise InputError(f"inputs[{number}]: the model refuses it: {_line(error)}") from error
        return outputs

    @torch.inference_mode()
    def _run(self, samples: Sequence[Inputs]) -> list[Any]:
        inputs = {
            name: torch.stack([sample[name] for sample in samples]).to(self._device)
            for name in samples[0]
        }
        with self._turn:
            outputs = tree_map_only(Tensor, Tensor.cpu, self._model(**inputs))

        def sample_of(number: int) -> Any:
            # A tensor without dimensions is one value of the whole batch.
            return tree_map_only(Tensor, lambda one: one[number] if one.ndim else one, outputs)

        return [sample_of(number) for number in range(len(samples))]


def load_predictor(path: Path, device: str = "auto") -> Predictor:
    """Return a predictor with the weights of a run, its best.pt for example."""
    model = load_trained(path).model
    chosen = choose_device(device)
    return Predictor(model.to(chosen), chosen)


def _decoded(number: int, value: object) -> Inputs:
    try:
        return decode(value)
    except InputError as error:
        raise InputError(f"inputs[{number}]: {error}") from error
    except Exception as error:
        # The task has not thought of this value.
        raise InputError(f"inputs[{number}] cannot be read: {_line(error)}") from error


def _encoded(number: int, outputs: Any) -> object:
    prediction = encode(outputs)
    try:
        json.dumps(prediction, allow_nan=False)
    except ValueError as error:
        raise InputError(f"inputs[{number}]: its prediction is not a finite number.") from error
    return prediction


def _of_equal_shapes(samples: Sequence[Inputs]) -> list[list[int]]:
    """Return which samples can be one batch without padding, as sequences of one length can."""
    groups: dict[object, list[int]] = {}
    for number, sample in enumerate(samples):
        form = tuple((name, one.shape, one.dtype) for name, one in sorted(sample.items()))
        groups.setdefault(form, []).append(number)
    return list(groups.values())


def _line(error: Exception) -> str:
    """Return an error as one line; torch's go on for many."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
