"""What the server predicts: which samples are accepted, in which batches, and what it returns."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from digits.command import InputError
from digits.serving.prediction import MAX_INPUTS, Predictor
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS = ("digits", "tabular", "sequence", "fourth")
CPU = torch.device("cpu")


class Doubled(nn.Module):
    """Two inputs of any length and several outputs, one of them of the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, ...]] = []

    def forward(self, values: Tensor, flag: Tensor) -> dict[str, Any]:
        """Return the doubled values, and what else a model may return."""
        assert flag.dtype == torch.int64
        if (values == 13).any():
            raise IndexError("index out of range in self\nand more about it")
        self.calls.append(tuple(values.shape))
        return {"double": 2 * values, "pair": (values.sum(1), flag), "term": torch.tensor(7.0)}


def decode(value: Any) -> dict[str, Tensor]:
    """Return the inputs of a list of numbers, without a look at what is in it."""
    return {"values": torch.tensor(value, dtype=torch.float32), "flag": torch.tensor(len(value))}


def encode(outputs: Any) -> object:
    """Return all outputs of one sample."""
    total, flag = outputs["pair"]
    return [outputs["double"].tolist(), total.item(), flag.item(), outputs["term"].item()]


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """A predictor of the model above."""
    monkeypatch.setattr("digits.serving.prediction.decode", decode)
    monkeypatch.setattr("digits.serving.prediction.encode", encode)
    return Predictor(Doubled(), CPU)


def calls_of(predictor: Predictor) -> list[tuple[int, ...]]:
    """Return the shapes of the batches that the model has got."""
    model = predictor._model
    assert isinstance(model, Doubled)
    return model.calls


def test_samples_of_equal_shapes_are_one_batch_and_keep_their_order(predictor: Predictor) -> None:
    predictions = predictor.predict([[1], [1, 2], [3], [4, 5], [6]])

    assert predictions == [
        [[2], 1, 1, 7],
        [[2, 4], 3, 2, 7],
        [[6], 3, 1, 7],
        [[8, 10], 9, 2, 7],
        [[12], 6, 1, 7],
    ]
    assert calls_of(predictor) == [(3, 1), (2, 2)]


@pytest.mark.parametrize("values", [None, {}, [], "text", [[1]] * (MAX_INPUTS + 1)])
def test_inputs_are_a_list_of_samples(values: object, predictor: Predictor) -> None:
    with pytest.raises(InputError, match=f"inputs must be a list of 1 to {MAX_INPUTS} samples"):
        predictor.predict(values)


@pytest.mark.parametrize("value", [None, 1, "text", {"a": 1}, [[1], [1, 2]], [10**400], ["x"]])
def test_a_value_that_the_task_did_not_think_of_is_refused(
    value: object,
    predictor: Predictor,
) -> None:
    with pytest.raises(InputError, match=r"^inputs\[1\] cannot be read: \w+: .+") as refused:
        predictor.predict([[1], value])

    assert "\n" not in str(refused.value)


def test_what_the_model_refuses_is_refused_by_its_number(predictor: Predictor) -> None:
    complaint = r"^inputs\[2\]: the model refuses it: IndexError: index out of range in self$"
    with pytest.raises(InputError, match=complaint):
        predictor.predict([[1], [2], [13], [4]])


def test_a_batch_too_large_for_the_memory_is_computed_one_by_one(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = Doubled.forward

    def small(model: Doubled, values: Tensor, flag: Tensor) -> dict[str, Any]:
        if len(values) > 1:
            raise torch.OutOfMemoryError("no memory left")
        return forward(model, values, flag)

    monkeypatch.setattr(Doubled, "forward", small)

    assert predictor.predict([[1], [2]]) == [[[2], 1, 1, 7], [[4], 2, 1, 7]]


@pytest.mark.parametrize("value", [float("nan"), 3e38])
def test_a_prediction_that_is_not_a_number_is_refused(value: float, predictor: Predictor) -> None:
    with pytest.raises(InputError, match=r"inputs\[1\]: its prediction is not a finite number"):
        predictor.predict([[1], [value]])


def test_a_model_in_training_mode_predicts_in_evaluation_mode(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("digits.serving.prediction.encode", lambda outputs: outputs.tolist())
    dropout = Predictor(_OfValues(nn.Dropout(0.9)).train(), CPU)

    assert dropout.predict([[1, 2, 3]]) == [[1, 2, 3]]


class _OfValues(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor, flag: Tensor) -> Any:
        return self.layer(values)


class OfTask:
    """A task's predictor with fresh weights."""

    def __init__(self, task: str) -> None:
        self.requests = importlib.import_module(f"{task}.task.requests")
        self.InputError = importlib.import_module(f"{task}.command").InputError
        settings = importlib.import_module(f"{task}.task.settings")
        builder: Callable[..., nn.Module] = importlib.import_module(
            f"{task}.task.model"
        ).build_model
        self.model = builder(settings.ModelConfig()).eval()
        room = importlib.import_module(f"{task}.serving.prediction")
        self.predict = room.Predictor(self.model, CPU).predict


@pytest.fixture(scope="module", params=TASKS)
def of_task(request: pytest.FixtureRequest) -> OfTask:
    """The predictor of each task."""
    return OfTask(request.param)


def test_the_tasks_example_is_predicted_as_the_model_does(of_task: OfTask) -> None:
    example = of_task.requests.EXAMPLE
    inputs = of_task.requests.decode(example)
    with torch.inference_mode():
        outputs = of_task.model(**{name: one.unsqueeze(0) for name, one in inputs.items()})

    (prediction,) = of_task.predict([example])

    assert json.loads(json.dumps(prediction)) == prediction
    assert prediction == of_task.requests.encode(_first(outputs))
    assert len(of_task.predict([example] * 3)) == 3


def _first(outputs: Any) -> Any:
    if isinstance(outputs, dict):
        return {name: _first(one) for name, one in outputs.items()}
    return outputs[0]


ODD = [None, True, -1, 1e300, "", "é\0", [], {}, [[]], [None], [[None]], {"x": 1}]


@pytest.mark.parametrize("value", ODD)
def test_odd_values_are_predicted_or_refused_in_one_line(value: object, of_task: OfTask) -> None:
    values = [value, [value] * 8, [[value] * 8] * 8, [10**400] * 8]
    if isinstance(example := of_task.requests.EXAMPLE, dict):
        values += [{**example, name: value} for name in example]
    for each in values:
        try:
            of_task.predict([of_task.requests.EXAMPLE, each])
        except of_task.InputError as refused:
            assert str(refused).startswith("inputs[1]"), each
            assert "\n" not in str(refused)
