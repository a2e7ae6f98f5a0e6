"""Send a test sample to a server, and print what it returns, beside the checkpoint's own model."""

import argparse
import sys
from collections.abc import Sequence

from .client import NoAnswer, add_servers, connect, run


def main(arguments: Sequence[str]) -> None:
    """Ask about one sample."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--sample", type=int, default=0, help="number of it (%(default)s)")
    parser = argparse.ArgumentParser(prog="python -m serve.predict", description=__doc__)
    add_servers(parser, options)
    chosen = parser.parse_args(arguments)

    client = connect(chosen)
    # It imports torch, which no wrong option has to wait for.
    from .samples import difference, load, requests_of

    ((inputs, expected),) = requests_of(load(chosen.checkpoint), chosen.sample, batch=1, count=1)
    outputs = client.ask(client.body_of(inputs))
    client.close()
    for name, tensor in outputs.items():
        print(f"{name}, of shape {tuple(tensor.shape)}:\n{tensor}")
    try:
        greatest = difference(outputs, expected)
    except ValueError as error:
        raise NoAnswer(f"{chosen.url} serves another model: {error}") from error
    print(f"greatest difference from the checkpoint's model: {greatest:.1e}")


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
