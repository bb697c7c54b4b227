"""Ways to look around in a library."""
