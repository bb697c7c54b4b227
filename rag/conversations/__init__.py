"""Conversations: kept, and with marks that count on."""
