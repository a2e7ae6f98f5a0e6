"""The command `nnscaffold`: parse, call, print. One file a command group."""
