"""How a module is built and called, found out from what its author has written already.

What pyproject.toml states counts first, then jaxtyping's annotations and the docstring's example,
then arguments of the constructor whose type and name leave little choice. What none of them says
is a `CaseError`: one sentence with what is missing and how to state it.
"""

from .derive import derive_case as derive_case
from .errors import CaseError as CaseError
from .settings import Settings as Settings
from .settings import by_class as by_class
from .settings import read_settings as read_settings
from .targets import Target as Target
from .targets import find_targets as find_targets
