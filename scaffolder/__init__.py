"""nnscaffold: PyTorch repositories and modules that keep the module contract."""

__version__ = "0.4.0"
