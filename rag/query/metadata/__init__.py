"""Rules that parse what a question asks about the papers' metadata."""
