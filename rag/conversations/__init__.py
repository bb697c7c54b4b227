"""Conversations: storage, and citation numbers that continue from turn to turn."""
