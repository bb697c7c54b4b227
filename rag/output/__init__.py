"""Output formats of an answer: terminal text, exported files, and bundles."""
