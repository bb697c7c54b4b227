"""The web pages: Gradio events and HTML only, no retrieval and no prompts."""
