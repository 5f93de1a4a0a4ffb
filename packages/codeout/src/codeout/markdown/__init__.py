"""Entry point: the Python-Markdown extension, the only room that imports Markdown, pymdownx and markdown-exec."""
