"""The layers of this package, one class a file, in the order of the manifest."""

# fmt: off
# One line a module, however long its name: two branches that each add one then merge.
from .input_norm import InputNorm as InputNorm
from .conv_block import ConvBlock as ConvBlock
from .feature_stack import FeatureStack as FeatureStack
from .feature_branches import FeatureBranches as FeatureBranches
