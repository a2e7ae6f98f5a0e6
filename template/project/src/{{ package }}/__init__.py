"""Layers, models, what is learned, and how it is trained.

``layers`` and ``models`` need torch alone; the other modules need the extra ``train``.
"""
