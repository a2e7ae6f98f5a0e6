"""Where in the author's source something happens, and watches on a running module."""

import ast
import inspect
import os
import pickle
import random
import re
import sys
import sysconfig
import textwrap
import traceback
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .rules import Finding, Place, finding
from .tree import convert, tensors

_TORCH = f"{Path(torch.__file__).parent}{os.sep}"
# Torch's files that only pass on what their caller asked for, such as `module.to("cuda")`.
PASSED_ON = {
    str(Path(_TORCH, name)) for name in ("overrides.py", "_tensor.py", "nn/modules/module.py")
}
_SUITE = f"{Path(__file__).parent}{os.sep}"
_STANDARD = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib"))
# Wherever packages are installed: in this Python, for the user, or in one that this builds on.
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

HOST_FETCHES = frozenset(
    {"item", "cpu", "numpy", "tolist", "__array__", "__float__", "__int__", "__index__", "__bool__"}
)
_DEVICES = frozenset({"cpu", "cuda", "hpu", "meta", "mps", "mtia", "xpu"})


def place(filename: str, line: int) -> Place:
    """`file:line`, from the working folder on if the file is in it."""
    folder = f"{os.getcwd()}{os.sep}"
    inside = filename.startswith(folder) and not is_installed(filename)
    return Place(f"{filename.removeprefix(folder) if inside else Path(filename).name}:{line}")


def is_torch(filename: str) -> bool:
    return filename.startswith(_TORCH)


def is_installed(filename: str) -> bool:
    return any(folder in filename for folder in _PACKAGES)


def is_foreign(filename: str) -> bool:
    """Whether a file is torch's, Python's or the suite's, so nothing that an author could fix."""
    standard = filename.startswith(_STANDARD) and not is_installed(filename)
    return standard or is_torch(filename) or filename.startswith((_SUITE, "<"))


def place_of(error: BaseException, callers: str = "") -> Place | None:
    """The innermost line of the author's code that an exception passed, inside of all `callers`."""
    stack = [
        (frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)
    ]
    inside = [at for at, (name, _) in enumerate(stack, 1) if callers and name.startswith(callers)]
    frames = [frame for frame in stack[max(inside, default=0) :] if not is_foreign(frame[0])]
    # A package that the author only uses is further in; the author's own may be installed as well.
    own = [frame for frame in frames if not is_installed(frame[0])] or frames
    return place(*own[-1]) if own else None


def place_in(stack: str) -> Place | None:
    """The innermost line of the author's code in the text of a stack."""
    for filename, line in reversed(re.findall(r'File "(.+)", line (\d+)', stack)):
        if not is_foreign(filename):
            return place(filename, int(line))
    return None


def running_line(is_passed: Callable[[str], bool]) -> Place | None:
    """The innermost running line in a file that is not passed over; None if torch's own."""
    frame: FrameType | None = sys._getframe(2)
    while frame and is_passed(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or is_torch(frame.f_code.co_filename):
        return None
    return place(frame.f_code.co_filename, frame.f_lineno)


def unguarded_line() -> Place | None:
    """The line of the script that calls this now and that a process started here would run too."""
    main: Any = sys.modules["__main__"]
    frame: FrameType | None = sys._getframe(1)
    while frame and (frame.f_globals is not vars(main) or frame.f_code.co_name != "<module>"):
        frame = frame.f_back
    file = Path(getattr(main, "__file__", None) or "")
    if frame is None or not file.is_file():
        return None  # no script: what is typed, say, is imported by nobody
    for node in ast.parse(file.read_bytes()).body:
        guards = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        if guards and node.lineno <= frame.f_lineno <= (node.end_lineno or 0):
            return None
    return place(str(file), frame.f_lineno)


def line_of(root: nn.Module, attribute: str, in_forward: bool) -> Place | None:
    """The line that assigns an attribute, given by its path; a line of `forward` first if asked."""
    owner: nn.Module | None = root
    owners: list[tuple[nn.Module, str]] = []
    for name in re.split(r"[\[ ]", attribute)[0].split("."):
        if owner is None:
            break
        owners.append((owner, name))
        owner = vars(owner).get("_modules", {}).get(name)
    # Innermost first: a layer of torch's has no line of the author's, but what made it has one.
    for owner, name in reversed(owners):
        forward = [type(owner).forward] if in_forward else []
        for scope in (*forward, *type(owner).__mro__):
            if found := statement_about(scope, name):
                return found
    return None


def statement_about(scope: Any, name: str) -> Place | None:
    """The first statement of a class or function that assigns, registers or defines a name."""
    try:
        filename = inspect.getsourcefile(scope) or ""
        if is_foreign(filename):
            return None
        lines, start = inspect.getsourcelines(scope)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError) as _:
        # Built at run time, or edited since: there is no source to look at.
        return None
    found: list[int] = [node.lineno for node in ast.walk(tree) if is_about(node, name)]  # type: ignore[attr-defined]
    return place(filename, start + min(found) - 1) if found else None


def is_about(node: ast.AST, name: str) -> Any:
    """Whether a node of a class's source is about an attribute of that name."""
    if isinstance(node, ast.FunctionDef):
        return node.name == name
    if isinstance(node, ast.Attribute):
        # `self.count = ...`, and `self.count.add_(1)`, where something is done to it.
        return node.attr == name and isinstance(node.ctx, ast.Store)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr in ("register_buffer", "register_parameter", "add_module", "setattr"):
        return node.args and ast.unparse(node.args[0]) == repr(name)
    return isinstance(node.func.value, ast.Attribute) and node.func.value.attr == name


class DeviceWatch(TorchFunctionMode):
    """Notes what the author's own lines ask of devices, by the rule that it may break.

    NN301: devices named, NN302: factories without one, NN404: fetches to the host, NN201: tensors
    from elsewhere, NN206: those made by `earlier` calls; and the shapes that a bare squeeze meets.
    """

    earlier: Container[int] = ()

    def __init__(self, home: str = "cpu", moved: dict[int, Tensor] | None = None) -> None:
        super().__init__()
        self.home = home
        self.moved = moved or {}
        self.noted: dict[str, dict[Place, str]] = defaultdict(dict)
        self.fetched_lengths: dict[Place, str] = {}
        self.squeezed: dict[Place, tuple[int, ...]] = {}
        self.split = ""
        # Kept alive, so that no later tensor takes over an identity.
        self.known: dict[int, Tensor] = {}
        self.made: dict[int, Tensor] = {}
        # Made of numbers alone, on the host: nothing waits for their values.
        self.of_numbers: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = (convert(given, self.follow) for given in (args, kwargs or {}))
        name = getattr(func, "__name__", "")
        # The author's, or None if torch calls itself.
        line = running_line(PASSED_ON.__contains__)
        if name == "_pack_padded_sequence":
            # Its lengths live on the CPU by torch's own rule.
            self.fetched_lengths.clear()
        if name in ("embedding", "embedding_bag"):
            devices = {tensor.device.type for _, tensor in tensors((args, kwargs))}
            if len(devices) > 1:
                self.split = f"an embedding meets tensors on {' and '.join(sorted(devices))}"
        if line:
            self.note_request(name, line, args, kwargs)
        result = func(*args, **kwargs)
        if line:
            self.note_result(name, line, args, kwargs, result)
        return result

    def note(self, code: str, line: Place, problem: str) -> None:
        self.noted[code].setdefault(line, problem)

    def follow(self, tensor: Tensor) -> Tensor:
        return self.moved.get(id(tensor), tensor)

    def is_away(self, tensor: Tensor) -> bool:
        return tensor.device.type != self.home and tensor.dim() > 0

    def note_request(self, name: str, line: Place, args: Any, kwargs: Any) -> None:
        """Note tensors that no watched call made, devices named, and values fetched to the host."""
        for _, tensor in tensors((args, kwargs)):
            if self.is_away(tensor) and id(tensor) not in self.known:
                met = f"`{name}` meets a tensor of shape {tuple(tensor.shape)} that"
                if id(tensor) in self.earlier:
                    self.note("NN206", line, f"{met} an earlier call left, on another device")
                else:
                    self.note("NN201", line, f"{met} is not an input, parameter or buffer")
        moved_to = args[1:2] if name in ("to", "type") else ()
        by_name = (name,) if name in ("cuda", "xpu") else ()
        for named in (kwargs.get("device"), *moved_to, *by_name):
            device = device_type(named)
            # On the CPU itself only a literal tells `.to("cpu")` from `.to(x.device)`.
            if device == "cpu" and name == "to" and isinstance(named, str):
                self.note_fetch("to('cpu')", line, args)
            elif device and device != self.home:
                self.note("NN301", line, f"`{name}` names the device {device!r}")
        if name in HOST_FETCHES:
            self.note_fetch(f"{name}()", line, args)
        if name == "squeeze" and len(args) == 1 and "dim" not in kwargs:
            self.squeezed.setdefault(line, tuple(args[0].shape))

    def note_fetch(self, name: str, line: Place, args: Any) -> None:
        """Note a value fetched to the host; lengths apart, for they may turn out legal."""
        lengths = name in ("cpu()", "to('cpu')") and not args[0].is_floating_point()
        notes = self.fetched_lengths if lengths else self.noted["NN404"]
        if id(args[0]) not in self.of_numbers:
            notes.setdefault(line, f"`.{name}` fetches a tensor of shape {tuple(args[0].shape)}")

    def note_result(self, name: str, line: Place, args: Any, kwargs: Any, result: Any) -> None:
        """Note what a factory, which is given no tensor, left on another device."""
        # A scalar tensor, a value to fill with, may be on any device.
        met = [tensor for _, tensor in tensors((args, kwargs))]
        given = any(tensor.dim() for tensor in met)
        makes = kwargs.get("device") is None and not given
        numbers = all(id(tensor) in self.of_numbers for tensor in met)
        for _, tensor in tensors(result):
            self.known[id(tensor)] = tensor
            if all(tensor is not one for one in met):
                self.made[id(tensor)] = tensor
            if numbers and kwargs.get("device") is None:
                self.of_numbers.add(id(tensor))
            if makes and self.is_away(tensor):
                made = f"`torch.{name}` makes a tensor of shape {tuple(tensor.shape)}"
                self.note("NN302", line, f"{made} without `device=`")

    def findings(self, code: str) -> list[Finding]:
        """What was noted for a rule."""
        noted = self.noted[code] | (self.fetched_lengths if code == "NN404" else {})
        return [finding(line, problem, code) for line, problem in noted.items()]


def device_type(device: object) -> str:
    """The type that an argument names as a device; nothing if it names none."""
    if isinstance(device, torch.device):
        return device.type
    if isinstance(device, int) and not isinstance(device, bool):
        return "cuda"  # an index alone is one of an accelerator
    # A device, or a type of tensor such as `torch.cuda.FloatTensor`.
    name = re.split(r"[:.]", device.removeprefix("torch."))[0] if isinstance(device, str) else ""
    return name if name in _DEVICES else ""


Created = list[tuple[str, Any]]


@contextmanager
def creations_watched() -> Iterator[tuple[Created, Created]]:
    """Note the modules and the parameters that come into being, each with the line that does it."""
    modules: Created = []
    parameters: Created = []
    initialise, create = nn.Module.__init__, nn.Parameter.__new__

    def watched_init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        initialise(module, *args, **kwargs)
        modules.append((running_line(is_foreign) or "forward", module))

    def watched_new(kind: type[nn.Parameter], *args: Any, **kwargs: Any) -> Any:
        parameter = create(kind, *args, **kwargs)
        parameters.append((running_line(is_foreign) or "forward", parameter))
        return parameter

    with (
        patch.object(nn.Module, "__init__", watched_init),
        patch.object(nn.Parameter, "__new__", staticmethod(watched_new)),
    ):
        yield modules, parameters


def random_states() -> tuple[object, ...]:
    """The states of the generators that a program draws from unless it has one of its own."""
    numpy = sys.modules.get("numpy")
    # As bytes, for arrays of numbers do not compare as wholes.
    numbers = pickle.dumps(numpy.random.get_state()) if numpy else b""
    return random.getstate(), numbers, bytes(torch.get_rng_state().tolist())


@contextmanager
def lines_that_change(observe: Callable[[], Any]) -> Iterator[list[tuple[Place, Any]]]:
    """Note the author's lines after which something is another than before, and what it then is.

    It looks after each line, which takes its time.
    """
    found: list[tuple[Place, Any]] = []
    seen = observe()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        filename = frame.f_code.co_filename
        if is_foreign(filename) or is_installed(filename):
            return None
        if (now := observe()) != seen:
            seen = now
            # What changed before a call is of the line that calls; the suite's own is not noted.
            whose = frame.f_back if event == "call" else frame
            if whose in last:
                found.append((place(whose.f_code.co_filename, last[whose]), now))
        last[frame] = frame.f_lineno
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(before)
