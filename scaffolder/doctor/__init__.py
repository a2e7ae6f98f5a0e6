"""Which of the tools that a generated repository can use a machine has, and how to get the rest."""
