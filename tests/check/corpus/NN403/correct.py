import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Called(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return self.inner(x)


class Extends(nn.Linear):
    # The call that brought us here has run the hooks.
    def forward(self, x):
        return 2 * super().forward(x)


class ExtendsByName(nn.Linear):
    def forward(self, x):
        return 2 * nn.Linear.forward(self, x)


class Checkpointed(nn.Module):
    # Handed over, not called.
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return checkpoint(self.inner.forward, x, use_reentrant=False)


class OtherMethod(nn.Module):
    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        return self.backbone.forward_features(x)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Robot:
    def forward(self, steps: int) -> int:
        return steps


class Player(nn.Module):
    # Goes forward without being a module.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.robot = Robot()

    def forward(self, x):
        return self.linear(x) * self.robot.forward(3)


def drive(robot: Robot, mailbox) -> int:
    mailbox.forward("message")
    return robot.forward(2)


def patch(model: nn.Module, function) -> None:
    model.forward = function


walker = Robot()
walker.forward(2)
either = Called(3)
either = Robot()
either.forward(2)
net = Called(3)
net(torch.ones(3))


def shadowed(net: Robot, x: torch.Tensor) -> None:
    # The parameter, and not the module of the same name.
    net.forward(3)


def looped() -> None:
    for net in (Robot(), Robot()):
        net.forward(1)


def given_the_class(Called, x):
    # Whatever the caller calls so.
    made = Called(3)
    return made.forward(x)


def replace():
    global spare
    spare = Robot()


spare = Called(3)
replace()
spare.forward(2)


class Driver:
    def __init__(self, robot: Robot, net):
        self.robot = Robot()
        self.net = net

    def step(self, x):
        self.robot.forward(1)
        return self.net.forward(x)

    @staticmethod
    def drive(self):
        return self.net.forward(3)


class Holder:
    net = Robot()

    def step(self):
        return self.net.forward(3)
