"""A backend for Triton by the name of onnxruntime: it runs in the server, as its Python backend.

What an export's config.pbtxt says is all that it knows of a model, as NVIDIA's own backend.
"""

import json
from pathlib import Path

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One instance of one version of a model."""

    def initialize(self, args):
        """Read the configuration, and load ``model.onnx`` of the version."""
        config = json.loads(args["model_config"])
        self._inputs = [one["name"] for one in config["input"]]
        self._outputs = [one["name"] for one in config["output"]]
        file = Path(args["model_repository"], args["model_version"], "model.onnx")
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(file, providers=providers)

    def execute(self, requests):
        """Answer the requests that the server's batcher put together, one after the other."""
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        tensors = {name: triton.get_input_tensor_by_name(request, name) for name in self._inputs}
        given = {name: tensor.as_numpy() for name, tensor in tensors.items()}
        values = self._session.run(self._outputs, given)
        named = zip(self._outputs, values, strict=True)
        return triton.InferenceResponse([triton.Tensor(name, value) for name, value in named])
