import torch
import torch.nn.functional as F
from torch import nn, no_grad
from torch.autograd import grad


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return [model(x) for x in loader]


@torch.inference_mode
def predict(model: nn.Module, x):
    return model(x)


@no_grad()
def validate(model, x):
    return model(x)


def test_model(model: nn.Module, loader):
    model.eval()
    with torch.autocast("cpu"), torch.inference_mode():
        return [model(x) for x in loader]


def evaluate_all(model, loader):
    torch.set_grad_enabled(False)
    outputs = [model(x) for x in loader]
    torch.set_grad_enabled(True)
    return outputs


def evaluate_by_block(model: nn.Module, x):
    with torch.set_grad_enabled(False):
        return model(x)


class Module(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x):
        return self.linear(x)

    def validation_step(self, batch, index):
        # The framework calls it under its own no_grad.
        x, target = batch
        return F.mse_loss(self(x), target)

    def predict_step(self, batch, index):
        return self(batch)


def evaluate_attack(model, x, target):
    # Needs the gradient of the input.
    x = x.clone().requires_grad_(True)
    loss = F.cross_entropy(model(x), target)
    (gradient,) = grad(loss, x)
    return model(x + 0.01 * gradient.sign())


def evaluate_after_adaptation(model, x, target, optimizer):
    loss = F.mse_loss(model(x), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluate_accuracy(predictions, targets):
    # No model is called.
    return (predictions == targets).float().mean()


def predict_with(pipeline, x):
    # Not a call of a module.
    return pipeline.predict(x)


def evaluate_files(model, names):
    # What is called is decorated.
    return [predict(model, torch.load(name)) for name in names]


def train(model: nn.Module, x, target):
    return F.mse_loss(model(x), target)


def evaluate_expression(model: str, x: float) -> float:
    # A word for something else.
    return len(model) * x
