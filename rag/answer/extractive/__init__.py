"""Answers in the papers' own sentences."""
