"""The models of this package, one class a file, in the order of the manifest."""

# fmt: off
# One line a module, however long its name: two branches that each add one then merge.
from .digit_classifier import DigitClassifier as DigitClassifier
