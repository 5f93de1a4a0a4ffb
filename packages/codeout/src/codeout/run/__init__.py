"""The parent's side of running blocks: the engine, its scheduler, a session, and the process of its kernel."""
