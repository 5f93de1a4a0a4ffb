"""Values that the rooms exchange, without I/O: blocks, sessions, outputs, runs, terminal text, expectations."""
