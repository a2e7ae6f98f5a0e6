"""Servers of the exported model: how they start, and clients that need nothing of this project."""
