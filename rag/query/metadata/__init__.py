"""What a question asks about the papers themselves."""
