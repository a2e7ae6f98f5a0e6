"""What stops a case from being found out."""


class CaseError(Exception):
    """One sentence: what is wrong or missing, and how to state it."""


def one_line(error: BaseException) -> str:
    """An exception as part of a sentence."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
