"""What a machine has of all that a generated repository can use, and how to get the rest."""
