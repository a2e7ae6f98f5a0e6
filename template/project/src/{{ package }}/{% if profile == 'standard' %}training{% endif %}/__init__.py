"""How the task is trained: settings, the loop, its optimizer, evaluation and what a run writes."""
