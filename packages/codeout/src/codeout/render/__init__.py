"""Turn runs into HTML, notebooks, scripts and Markdown."""
