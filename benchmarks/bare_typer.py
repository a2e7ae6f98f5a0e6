"""The least that a Typer application can be: what its help costs is the floor for ours."""

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def first(name: str, loud: bool = False) -> None:
    """Say hello."""
    print(name.upper() if loud else name)


@app.command()
def second(name: str) -> None:
    """Say goodbye."""
    print(name)


if __name__ == "__main__":
    app()
