"""The model that is trained and evaluated; to train another one, build that here."""

from .config import ModelConfig
from .models import DigitClassifier


def build_classifier(config: ModelConfig) -> DigitClassifier:
    """Build the model of these settings, with fresh weights, on the CPU."""
    return DigitClassifier(
        channels=config.channels,
        hidden_features=config.hidden_features,
        dropout=config.dropout,
    )
