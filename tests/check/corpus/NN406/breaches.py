import torch
import torch.nn.functional as F
from torch import nn


def evaluate(model, loader):  # NN406
    model.eval()
    total = 0.0
    for x, target in loader:
        total += F.mse_loss(model(x), target).item()
    return total / len(loader)


def validation_loss(net: nn.Module, x: torch.Tensor, target: torch.Tensor):  # NN406
    return F.mse_loss(net(x), target)


class Trainer:
    def __init__(self, model: nn.Module):
        self.model = model

    def validate(self, loader):  # NN406
        self.model.eval()
        return [self.model(x).argmax(-1) for x in loader]

    def train_epoch(self, loader, optimizer):
        self.model.train()
        for x, target in loader:
            loss = F.cross_entropy(self.model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def run_inference(model: nn.Module, images):  # NN406
    outputs = []
    for image in images:
        outputs.append(model(image[None]))
    return torch.cat(outputs)


def predict(model, x, device):  # NN406
    # eval() changes dropout and statistics, and records all the same.
    model = model.to(device).eval()
    logits = model(x.to(device))
    return logits.softmax(-1)


class Classifier(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        return self.linear(x)

    def predict(self, x):  # NN406
        return self(x).argmax(-1)


def evaluate_partly(model: nn.Module, first, rest):  # NN406
    # The first batch is outside.
    outputs = [model(first)]
    with torch.no_grad():
        outputs += [model(x) for x in rest]
    return outputs
