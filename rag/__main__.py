"""Run the command `rag` as `python -m rag`."""

from rag.cli import main

main()
