"""Forms in which an answer leaves the program."""
