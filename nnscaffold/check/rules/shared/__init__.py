"""What several rules share: questions that they ask, and edits that they make."""
