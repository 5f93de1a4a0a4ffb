"""Notebooks and scripts of other tools, as pages with the snippets that they include."""
