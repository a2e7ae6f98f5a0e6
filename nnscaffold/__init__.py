"""The module contract on any PyTorch code: `check` reads the source, `contract` runs modules.

Neither knows the generator, `scaffolder`, and only a check that runs modules imports torch.
"""
