"""Send a real digit to a server, and print what it says."""

import argparse
import math
import sys
from collections.abc import Sequence

from .digits import load_images
from .servers import add_servers, connect, run


def main(arguments: Sequence[str]) -> None:
    """Ask about one image of the data set."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--image", type=int, default=0, help="number of the image (%(default)s)")
    parser = argparse.ArgumentParser(prog="python -m serve.predict", description=__doc__)
    add_servers(parser, options)
    chosen = parser.parse_args(arguments)

    images, labels = load_images()
    if not 0 <= chosen.image < len(images):
        raise ValueError(f"--image must be from 0 to {len(images) - 1}; it is {chosen.image}")
    client = connect(chosen)
    (logits,) = client.ask(client.body_of([images[chosen.image]]), 1)
    client.close()

    print(f"image {chosen.image}, which is a {labels[chosen.image]}")
    shares = softmax(logits)
    for digit in sorted(range(len(shares)), key=lambda digit: -shares[digit])[:3]:
        print(f"{digit}: {shares[digit]:7.2%}")


def softmax(logits: Sequence[float]) -> list[float]:
    """Return the shares that logits stand for."""
    # Less the greatest, so that no power overflows.
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
