"""Values that travel between the rooms: blocks, outputs and runs, terminal text, values in prose. No I/O."""
