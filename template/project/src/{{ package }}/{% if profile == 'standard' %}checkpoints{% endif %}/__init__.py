"""What is kept of a run, and how a run is resumed from it."""
