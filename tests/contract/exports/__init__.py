"""Models as a trained checkpoint has them: some break the contract, some only look as if."""
