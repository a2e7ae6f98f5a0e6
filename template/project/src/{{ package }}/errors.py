"""The errors that a command tells in one sentence."""


class InputError(Exception):
    """Something in the user's hands is wrong; the text says in one sentence what and what to do."""


class FailedElsewhere(Exception):
    """Another process of the run failed and tells why; this one has only to end.

    Args:
        cause: the other process's error
    """

    def __init__(self, cause: InputError | OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause
