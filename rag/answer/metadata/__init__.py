"""Answers from the catalog."""
