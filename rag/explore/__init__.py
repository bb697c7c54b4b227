"""Overview, map and suggested questions of a library."""
