"""The MkDocs plugin: live updates, what pages get besides their outputs, and the default style sheet."""
