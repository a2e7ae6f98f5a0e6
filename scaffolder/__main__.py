"""`python -m scaffolder` is the command `nnscaffold`."""

from scaffolder.cli.main import main

if __name__ == "__main__":
    main()
