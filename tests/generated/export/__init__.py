"""Exports of every task, from outside of the repositories."""
