"""Time a trained model and what was made of it, turn about; print JSON.

Usage: python latency_pairs.py PACKAGE MODULE CHECKPOINT FOLDER PAIRS BATCH_SIZE...

MODULE is the one of the generated repository that loads the artefact in FOLDER, or `compile` or
`eager`. `benchmarks/latency.py` calls it with a generated repository on the path.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Inputs = dict[str, torch.Tensor]
    Predict = Callable[[Inputs], Any]

# Compilers compile, and allocators settle.
WARM_UP = 20


def main() -> None:
    """Measure at each batch size."""
    package, module, checkpoint, folder, pairs, *sizes = sys.argv[1:]
    torch.set_num_threads(1)
    one_thread_for_onnxruntime()
    subject: Any = importlib.import_module(f"{package}.export.subject").load_subject(
        Path(checkpoint)
    )
    measured = {}
    with torch.inference_mode():
        for size in map(int, sizes):
            model = by_name(subject.model)
            other = loaded(module, Path(folder), subject.model)
            batch = subject.example(size)
            expected, found = model(batch), other(batch)
            agreement = (found.argmax(dim=1) == expected.argmax(dim=1)).double().mean().item()
            if agreement < 0.9:
                sys.exit(f"{module}: predicts what the model does for {agreement:.0%} of a batch")
            measured[size] = turn_about(model, other, batch, int(pairs))
    print(json.dumps(measured))


def by_name(model: Any) -> Predict:
    """The model, called as its artefacts are: with its inputs by name."""
    return lambda batch: model(**batch)


def loaded(module: str, folder: Path, model: torch.nn.Module) -> Predict:
    """What is measured beside the model."""
    if module == "eager":
        return by_name(model)
    if module == "compile":
        # Anew for each batch size, the one that it is then best at.
        torch.compiler.reset()
        return by_name(torch.compile(model, dynamic=False))
    predict: Predict = importlib.import_module(module).load(folder)
    return predict


def turn_about(model: Predict, other: Predict, batch: Inputs, pairs: int) -> dict[str, float]:
    """Let the two take a batch each in turn, and compare the pairs."""
    models: list[float] = []
    others: list[float] = []
    for number in range(WARM_UP + pairs):
        # The second of a pair finds the batch in the caches: each is that in every other pair.
        if number % 2:
            by_model, by_other = seconds(model, batch), seconds(other, batch)
        else:
            by_other, by_model = seconds(other, batch), seconds(model, batch)
        if number >= WARM_UP:
            models.append(by_model)
            others.append(by_other)
    return {
        "model": statistics.median(models),
        "other": statistics.median(others),
        "ratio": statistics.median(b / a for a, b in zip(models, others, strict=True)),
    }


def seconds(predict: Predict, batch: Inputs) -> float:
    """How long a batch takes."""
    started = time.perf_counter()
    predict(batch)
    return time.perf_counter() - started


def one_thread_for_onnxruntime() -> None:
    """Give sessions one thread, as torch has here; they would take every core."""
    if importlib.util.find_spec("onnxruntime") is None:
        return
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    onnxruntime.InferenceSession = functools.partial(
        onnxruntime.InferenceSession,
        sess_options=options,
    )


if __name__ == "__main__":
    main()
