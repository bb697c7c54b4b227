"""The face in the browser: Gradio events and drawing only; no retrieval, no prompts."""
