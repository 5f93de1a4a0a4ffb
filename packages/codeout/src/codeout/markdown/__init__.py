"""The Python-Markdown extension. No other room knows Markdown, its extensions or markdown-exec."""
