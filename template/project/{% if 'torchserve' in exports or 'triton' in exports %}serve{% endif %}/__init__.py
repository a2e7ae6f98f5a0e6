"""Servers of the exported model: how they start, and clients that send them the test samples."""
