"""Watches on a running module: the devices it names, the values it fetches, what it builds."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .findings import Finding, finding
from .source import author_line, called_by_author
from .structure import convert, tensors

HOST_FETCHES = frozenset(
    {"item", "cpu", "numpy", "tolist", "__array__", "__float__", "__int__", "__index__", "__bool__"}
)
FACTORIES = frozenset(
    {
        *("arange", "as_tensor", "empty", "eye", "from_numpy", "full", "linspace", "logspace"),
        *("normal", "ones", "rand", "randint", "randn", "randperm", "tensor", "zeros"),
        *("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"),
        *("tril_indices", "triu_indices"),
    }
)
_MOVES = ("to", "type")
_DEVICES = frozenset({"cpu", "cuda", "hpu", "meta", "mps", "mtia", "xpu"})


class DeviceWatch(TorchFunctionMode):
    """Notes what the author's own lines ask of devices: literals, factories, fetches, squeezes."""

    def __init__(self, home: str = "cpu", moved: dict[int, Tensor] | None = None) -> None:
        """Watch a module on a device of the type `home`; `moved` maps old tensors to new ones."""
        super().__init__()
        self.home = home
        self.moved = moved or {}
        self.named: dict[str, str] = {}
        self.fetched: dict[str, str] = {}
        self.fetched_lengths: dict[str, str] = {}
        self.created: dict[str, str] = {}
        self.foreign: dict[str, str] = {}
        self.squeezed: dict[str, tuple[int, ...]] = {}
        self.split = ""
        # Kept alive, so that no later tensor takes over an identity.
        self.known: dict[int, Tensor] = {}

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note the call if the author made it, then let it happen."""
        args, kwargs = (convert(given, self.follow) for given in (args, kwargs or {}))
        name = getattr(func, "__name__", "")
        place = called_by_author()
        if name == "_pack_padded_sequence":
            # Its lengths live on the CPU by torch's own rule.
            self.fetched_lengths.clear()
        if name in ("embedding", "embedding_bag"):
            self.note_lookup(args, kwargs)
        if place:
            self.note_foreign(name, place, args, kwargs)
            self.note_request(name, place, args, kwargs)
        result = func(*args, **kwargs)
        if place:
            self.note_result(name, place, kwargs, result)
        return result

    def follow(self, tensor: Tensor) -> Tensor:
        """What an alias refers to after the move: `.to()` changes a parameter where it is."""
        return self.moved.get(id(tensor), tensor)

    def note_foreign(self, name: str, place: str, args: Any, kwargs: Any) -> None:
        """Note tensors on another device that no watched call made."""
        for _, tensor in tensors((args, kwargs)):
            if tensor.device.type != self.home and tensor.dim() and id(tensor) not in self.known:
                problem = f"`{name}` meets a tensor of shape {tuple(tensor.shape)} "
                note = f"{problem}that is no input, parameter or buffer"
                self.foreign.setdefault(place, note)

    def note_request(self, name: str, place: str, args: Any, kwargs: Any) -> None:
        """Note devices named in the call, and values fetched to the host."""
        devices = [kwargs.get("device")]
        if name in _MOVES:
            devices.extend(args[1:2])
        if name in ("cuda", "xpu"):
            devices.append(name)
        for named in devices:
            device = device_type(named)
            # On the CPU itself only a literal tells `.to("cpu")` from `.to(x.device)`.
            if device == "cpu" and name == "to" and isinstance(named, str):
                self.note_fetch("to('cpu')", place, args)
            elif device and device != self.home:
                self.named.setdefault(place, f"`{name}` names the device {device!r}")
        if name in HOST_FETCHES:
            self.note_fetch(name, place, args)
        if name == "squeeze" and len(args) == 1 and "dim" not in kwargs:
            self.squeezed.setdefault(place, tuple(args[0].shape))

    def note_lookup(self, args: Any, kwargs: Any) -> None:
        """Note indices and table on two devices, which fake tensors let pass."""
        if len(found := {tensor.device.type for _, tensor in tensors((args, kwargs))}) > 1:
            self.split = f"an embedding meets tensors on {' and '.join(sorted(found))}"

    def note_fetch(self, name: str, place: str, args: Any) -> None:
        """Note a value fetched to the host; lengths apart, for they may turn out legal."""
        tensor = args[0]
        lengths = name in ("cpu", "to('cpu')") and not tensor.is_floating_point()
        notes = self.fetched_lengths if lengths else self.fetched
        call = f".{name}" if "(" in name else f".{name}()"
        notes.setdefault(place, f"`{call}` fetches a tensor of shape {tuple(tensor.shape)}")

    def note_result(self, name: str, place: str, kwargs: Any, result: Any) -> None:
        """Note what a factory left on another device."""
        for _, tensor in tensors(result):
            self.known[id(tensor)] = tensor
            away = tensor.device.type != self.home and tensor.dim()
            if name in FACTORIES and away and kwargs.get("device") is None:
                problem = f"`torch.{name}` makes a tensor of shape {tuple(tensor.shape)} "
                self.created.setdefault(place, f"{problem}without `device=`")

    def literals(self, check_name: str) -> Iterator[Finding]:
        """The devices that the author's lines named (NN301)."""
        for place, problem in self.named.items():
            yield finding(check_name, place, problem, "NN301")

    def host_fetches(self, check_name: str) -> Iterator[Finding]:
        """The values that the author's lines fetched to the host (NN404)."""
        for place, problem in {**self.fetched, **self.fetched_lengths}.items():
            yield finding(check_name, place, problem, "NN404")


class PrecisionWatch(TorchFunctionMode):
    """Notes whether a module leaves double precision on the way, as norms in float32 do."""

    def __init__(self) -> None:
        """Nothing has left it yet."""
        super().__init__()
        self.lowered = False

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compare what comes out with what went in."""
        result = func(*args, **(kwargs or {}))
        given = {tensor.dtype for _, tensor in tensors((args, kwargs))}
        given_back = {tensor.dtype for _, tensor in tensors(result)}
        if torch.float64 in given and given_back & {torch.float32, torch.bfloat16, torch.float16}:
            self.lowered = True
        return result


class RandomnessWatch(TorchFunctionMode):
    """Notes the author's lines that draw from torch's generator, whatever the function is."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        super().__init__()
        self.drawn: dict[str, str] = {}

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compare the generator's state before the call with the one after it."""
        before = torch.get_rng_state()
        result = func(*args, **(kwargs or {}))
        if not torch.equal(before, torch.get_rng_state()):
            self.drawn.setdefault(author_line(), getattr(func, "__name__", "forward"))
        return result


def device_type(device: object) -> str:
    """The type that an argument names as a device; nothing if it names none."""
    if isinstance(device, torch.device):
        return device.type
    if isinstance(device, int) and not isinstance(device, bool):
        return "cuda"  # an index alone is one of an accelerator
    if isinstance(device, str):
        # A device, or a type of tensor such as `torch.cuda.FloatTensor`.
        name = device.removeprefix("torch.").partition(":")[0].partition(".")[0]
        return name if name in _DEVICES else ""
    return ""


class Creations:
    """What came into being while a watch was on, each with the line that made it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.modules: list[tuple[str, nn.Module]] = []
        self.parameters: list[tuple[str, Tensor]] = []


@contextmanager
def creations_watched() -> Iterator[Creations]:
    """Note every module and parameter that comes into being meanwhile."""
    created = Creations()
    initialise = nn.Module.__init__
    create = nn.Parameter.__new__

    def watched_init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        initialise(module, *args, **kwargs)
        created.modules.append((author_line(), module))

    def watched_new(kind: type[nn.Parameter], *args: Any, **kwargs: Any) -> Any:
        parameter = create(kind, *args, **kwargs)
        created.parameters.append((author_line(), parameter))
        return parameter

    with (
        patch.object(nn.Module, "__init__", watched_init),
        patch.object(nn.Parameter, "__new__", staticmethod(watched_new)),
    ):
        yield created


@contextmanager
def fixed_sizes_watched() -> Iterator[list[str]]:
    """Note the author's lines that, while a module is traced, leave a free size only one value."""
    places: list[str] = []
    # Torch's own affair: where a later one has changed it, no line is named, and nothing fails.
    try:
        shapes: Any = importlib.import_module("torch.fx.experimental.symbolic_shapes")
    except ImportError:
        shapes = None
    sizes = getattr(shapes, "ShapeEnv", None)
    evaluate = getattr(sizes, "evaluate_expr", None)
    if evaluate is None:
        yield places
        return

    def constants(environment: Any) -> int:
        replacements = getattr(environment, "replacements", {})
        return sum(value.is_number for value in replacements.values())

    def evaluate_and_watch(environment: Any, *args: Any, **kwargs: Any) -> Any:
        before = constants(environment)
        result = evaluate(environment, *args, **kwargs)
        if constants(environment) > before:
            places.append(author_line())
        return result

    with patch.object(sizes, "evaluate_expr", evaluate_and_watch):
        yield places
