"""The parent's side of running blocks: the engine, the scheduler, sessions, and their kernel processes."""
