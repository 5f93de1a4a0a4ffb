"""Entry point: the MkDocs plugin, with live updates, page extras and the loader that commands use."""
