"""Exports of a trained model: a file a target, each proved against the model that it came from."""
