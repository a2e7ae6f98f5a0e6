"""Load a server with clients that each send the next request when they have their answer."""

import argparse
import collections
import dataclasses
import itertools
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .client import Client, NoAnswer, add_servers, connect, run

if TYPE_CHECKING:
    from torch import Tensor

    Compare = Callable[[dict[str, Tensor], dict[str, Tensor]], float]

REQUESTS = 100
"""How many different ones there are, at most."""

PAUSE = 0.1
"""Seconds that a client waits after an error: a server that is down is not asked all the time."""


@dataclasses.dataclass
class Found:
    """What one client found, or all of them together."""

    latencies: list[float] = dataclasses.field(default_factory=list)
    """Seconds that each answered request took."""
    difference: float = 0.0
    """The greatest one of an output from that of the checkpoint's model."""
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """What went wrong, and how often."""

    def add(self, other: "Found") -> None:
        """Add what another client found."""
        self.latencies += other.latencies
        self.difference = max(self.difference, other.difference)
        self.errors += other.errors

    def report(self, batch: int, seconds: float) -> str:
        """Return the figures as lines.

        Args:
            batch: samples in a request
            seconds: the time that all requests took together
        """
        answered = len(self.latencies)
        lines = [f"answered  {answered} requests of {batch}, {answered / seconds:.1f} a second"]
        if answered:
            lines.append(f"samples   {answered * batch / seconds:.1f} a second")
            p50, p95, p99 = (1000 * percentile(self.latencies, part) for part in (50, 95, 99))
            lines.append(f"latency   p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")
            lines.append(f"differs   {self.difference:.1e} at most from the checkpoint's model")
        lines.append(f"errors    {self.errors.total()}")
        lines += [f"  {count} times: {text}" for text, count in self.errors.most_common()]
        return "\n".join(lines)


def percentile(values: Sequence[float], part: int) -> float:
    """Return the least value that at least so many per cent of the values do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * part / 100), 1) - 1]


def ask_until(
    client: Client,
    requests: "Sequence[tuple[bytes, dict[str, Tensor]]]",
    first: int,
    deadline: float,
    compare: "Compare",
    found: Found,
) -> None:
    """Send requests in turn, the next one after each answer, until the deadline.

    Args:
        client: of this thread alone
        requests: each with the outputs that it should get
        first: which of them comes first
        deadline: when to stop, as ``time.perf_counter`` counts
        compare: returns how far outputs are from those they should be
        found: is filled
    """
    for body, expected in itertools.islice(itertools.cycle(requests), first, None):
        start = time.perf_counter()
        if start >= deadline:
            break
        try:
            outputs = client.ask(body)
            seconds = time.perf_counter() - start
            found.difference = max(found.difference, compare(outputs, expected))
        except Exception as error:
            # Of whatever kind: nobody would learn what a thread has died of.
            found.errors[str(error) or type(error).__name__] += 1
            time.sleep(PAUSE)
            continue
        found.latencies.append(seconds)
    client.close()


def main(arguments: Sequence[str]) -> None:
    """Load the server, and print what it did."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--clients", type=int, default=4, help="at a time (%(default)s)")
    options.add_argument("--seconds", type=float, default=10, help="duration (%(default)s)")
    options.add_argument("--batch", type=int, default=1, help="samples in a request (%(default)s)")
    parser = argparse.ArgumentParser(prog="python -m serve.load_test", description=__doc__)
    add_servers(parser, options)
    chosen = parser.parse_args(arguments)
    for name in ("clients", "seconds", "batch"):
        if not getattr(chosen, name) > 0:
            raise ValueError(f"--{name} must be more than 0; it is {getattr(chosen, name)}")

    clients = [connect(chosen) for _ in range(chosen.clients)]
    # It imports torch, which no wrong option has to wait for.
    from .samples import difference, load, requests_of

    requests = [
        (clients[0].body_of(inputs), outputs)
        for inputs, outputs in requests_of(load(chosen.checkpoint), 0, chosen.batch, REQUESTS)
    ]
    for client in clients:
        # Connected before the clock starts; what does not work at all shows here.
        client.ask(requests[0][0])

    begin = time.perf_counter()
    parts = [Found() for _ in clients]
    threads = [
        threading.Thread(
            target=ask_until,
            args=(client, requests, number, begin + chosen.seconds, difference, part),
            daemon=True,
        )
        for number, (client, part) in enumerate(zip(clients, parts, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin

    together = Found()
    for part in parts:
        together.add(part)
    print(f"{chosen.server} at {chosen.url}, {chosen.clients} clients for {seconds:.1f} s")
    print(together.report(chosen.batch, seconds))
    if together.errors:
        raise NoAnswer(f"{together.errors.total()} requests had no answer that can be used.")


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
