"""The error for what the user can mend."""


class InputError(Exception):
    """Something in the user's hands is wrong; the text says in one sentence what and what to do."""
