import torch
from torch import nn


class Parameterless(nn.Module):
    def forward(self, x):
        x = nn.ReLU()(x)
        x = nn.LeakyReLU(0.1)(x)
        return nn.Softmax(dim=-1)(x)


class Loss(nn.Module):
    def forward(self, x, target):
        return nn.CrossEntropyLoss()(x, target) + nn.MSELoss(reduction="sum")(x, x.detach())


class Pooled(nn.Module):
    def forward(self, x):
        x = nn.MaxPool2d(2)(x)
        x = nn.AdaptiveAvgPool2d(1)(x)
        return nn.Flatten(1)(nn.ZeroPad2d(1)(x))


class Affineless(nn.Module):
    # Without its parameters a norm has neither weights nor state.
    def forward(self, x):
        return nn.LayerNorm(x.shape[-1], elementwise_affine=False)(x)


class Double(nn.Module):
    def forward(self, x):
        return 2 * x


class OwnStateless(nn.Module):
    def forward(self, x):
        return Double()(x)


class StatelessSequence(nn.Module):
    def forward(self, x):
        return nn.Sequential(nn.ReLU(), nn.Tanh())(x)


class OutsideForward(nn.Module):
    # Made when the number of classes changes, not in forward.
    def __init__(self, width, classes):
        super().__init__()
        self.width = width
        self.head = nn.Linear(width, classes)

    def reset_classifier(self, classes):
        self.head = nn.Linear(self.width, classes)

    def forward(self, x):
        return self.head(x)


class Rebuilt(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    @classmethod
    def twin(cls, width):
        return nn.Sequential(cls(width), nn.Linear(width, width))

    def forward(self, x):
        if isinstance(self.linear, nn.Linear):
            return self.linear(x)
        return torch.relu(x)


class NamedLinear:
    # Called Linear by somebody else.
    @staticmethod
    def Linear(x):
        return 2 * x


class UsesNamesake(nn.Module):
    def forward(self, x):
        return NamedLinear.Linear(x)
