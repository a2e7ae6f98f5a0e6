"""The static checker: it reads sources and finds where modules break the contract.

It needs nothing but Python's standard library, and never imports what it checks.
"""
