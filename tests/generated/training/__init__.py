"""Proofs of training: that it computes what it should, and survives what happens to it."""
