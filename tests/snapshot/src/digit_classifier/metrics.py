"""The figures of a run, epoch by epoch: JSON lines for programs, TensorBoard for people."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from .errors import InputError
from .files import write_atomically

Record = dict[str, Any]


class MetricsLog:
    """Write each epoch's figures to ``metrics.jsonl`` and to TensorBoard's event files.

    Args:
        folder: where both are kept
        epochs_done: epochs that a resumed run keeps; what was written of later ones is dropped
    """

    def __init__(self, folder: Path, epochs_done: int = 0) -> None:
        path = folder / "metrics.jsonl"
        kept = [record for record in read_metrics(path) if record["epoch"] <= epochs_done]
        lines = "".join(_to_line(record) for record in kept)
        write_atomically(path, lambda file: file.write(lines.encode()))
        self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(folder / "tensorboard", purge_step=epochs_done + 1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close both files."""
        self.close()

    def close(self) -> None:
        """Close both files."""
        self._board.close()
        self._file.close()

    def log(self, record: Record) -> None:
        """Write the figures of one epoch, which ``record["epoch"]`` tells, to disk at once."""
        self._file.write(_to_line(record))
        self._file.flush()
        for name, value in record.items():
            if name != "epoch":
                self._board.add_scalar(name, value, record["epoch"])
        self._board.flush()


def read_metrics(path: Path) -> list[Record]:
    """Return the figures of all epochs, oldest first; a last line that was cut off is left out."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [_from_line(line, number, path) for number, line in enumerate(lines, start=1)]


def _from_line(line: bytes, number: int, path: Path) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("epoch"), int):
        raise InputError(f"Line {number} of {path} is damaged: mend or delete it, and try again.")
    return record


def _to_line(record: Record) -> str:
    return json.dumps(record) + "\n"
