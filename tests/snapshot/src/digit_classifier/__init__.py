"""Layers, models, and the training and evaluation of a digit classifier.

``layers`` and ``models`` need torch alone; the other modules need the extra ``train``.
"""
