"""The processes of a run, and how they hold the model between them."""
