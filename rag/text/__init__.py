"""Text processing: terms, sentences, passages, tokens, and the wording of statements."""
