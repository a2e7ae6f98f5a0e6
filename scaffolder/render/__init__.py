"""Rendering: Copier for repositories, Jinja2 alone for one module."""
