"""Models that cannot be exported, or would be exported wrongly; a comment marks where."""

import random
import threading

import numpy as np
import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Logits of digits: what the models below do, and do wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images)

    def logits(self, images: Tensor) -> Tensor:
        return self.linear(images.flatten(1))


class OtherDevice(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) + torch.zeros(10, device="cuda")  # NN301


class OtherDeviceMethod(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images.cuda())  # NN301


class OwnDevice(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) + torch.zeros(10, device=torch.device("cpu"))  # NN301


class MovedToCpu(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images).to("cpu")  # NN404


class ParameterElsewhere(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10, device="meta"))  # NN301

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.scale


class DeviceOfItsOwn(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10, device="cuda"))  # NN301


class Mask(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.mask = torch.ones(10)  # NN201

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.mask


class MaskInDictionary(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.masks: dict[str, list[Tensor]] = {"all": [torch.ones(10)]}  # NN201

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.masks["all"][0]


class MaskOfLayer(nn.Module):
    """The fault is one level down."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Mask()

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(images)


class Listed(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.more = [nn.Linear(10, 10), nn.Linear(10, 10)]  # NN103

    def forward(self, images: Tensor) -> Tensor:
        return self.more[1](self.more[0](self.logits(images)))


class ListedParameters(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.scales = [nn.Parameter(torch.ones(10))]  # NN104

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.scales[0]


class Computed(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10)) * 2  # NN107

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.scale.detach()


class ParameterInForward(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) + nn.Parameter(torch.ones(10))  # NN105


class ModuleInForward(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return nn.Linear(10, 10)(self.logits(images))  # NN106


class PythonsRandom(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        return logits * random.random()  # NN402


class NumpysRandom(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) * self.drawn()

    def drawn(self) -> float:
        return float(np.random.rand())  # NN402


class TorchsRandom(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(self.logits(images))  # NN402


class ReboundBuffer(Classifier):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.calls = self.calls + 1  # NN203
        return self.logits(images) + self.calls


class ChangedBuffer(Classifier):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.calls.add_(1)  # no rule
        return self.logits(images) + self.calls


class CountedCalls(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1  # no rule
        return self.logits(images) + self.calls


class KeptOutputs(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(self.logits(images))  # NN206
        return torch.stack(self.seen).sum(0)


class Tally:
    """State of the author's own, which is no attribute of a module."""

    def __init__(self) -> None:
        self.calls = 0

    def next(self) -> int:
        self.calls += 1
        return self.calls


TALLY = Tally()


class CountedInAnObject(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()

    def forward(self, images: Tensor) -> Tensor:  # no rule
        return self.logits(images) + self.tally.next()


class CountedInAGlobal(Classifier):
    def forward(self, images: Tensor) -> Tensor:  # NN402
        return self.logits(images) + TALLY.next()


class SqueezedBatch(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images).squeeze()  # NN405


class BatchInShape(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images.reshape(2, 64))  # no rule


class Lock(Classifier):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()  # NN501


class Branch(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        if logits.sum() > 0:  # NN404
            return logits
        return -logits


class BranchOfLayer(nn.Module):
    """The fault is one level down."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Branch()

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(images)


class Choice(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        return logits if float(logits.max()) > 1e9 else -logits  # NN404


class Assertion(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        assert images.min() >= 0  # NN404
        return self.logits(images)


class SizeByValue(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        found = logits[logits[:, 0] > 0]
        return logits - found.mean(0) if len(found) else logits  # NN404


class Number(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        return logits[:, : 1 + int(logits.abs().min().item())]  # NN404


class Listing(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        return logits * logits.sum(1).tolist()[0]  # NN404


class Numpy(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        return torch.from_numpy(np.tanh(logits.numpy()))  # NN404


class Printed(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        print(f"{logits.mean():.2f}")  # NN404
        return logits


class BatchDecides(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        if images.shape[0] > 4:  # no rule
            return 2 * logits
        return logits


class LoopOverBatch(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([self.linear(image.flatten()) for image in images])  # no rule


class Convolved(Classifier):
    """How torch convolves depends on the size of the batch as well, and limits nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 3, padding=1)


class LoopAfterConvolution(Convolved):
    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(self.convolution(images))
        return torch.stack([2 * row for row in logits])  # no rule


class BranchAfterConvolution(Convolved):
    """Its condition is the very one by which torch chooses how to convolve."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(self.convolution(images))
        if images.shape[0] < 16:  # no rule
            return 2 * logits
        return logits


class RareOperator(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        squares = images[:, 0].abs() + torch.eye(8).to(images)
        return self.logits(images) + torch.linalg.slogdet(squares).logabsdet[:, None]  # no rule


class WrongWidth(Classifier):
    """What raises is a line of torch's."""

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(images)  # no rule


class Fails(Classifier):
    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images) @ images  # no rule
