"""Runs as HTML, notebooks, scripts and Markdown: values in, text out."""
