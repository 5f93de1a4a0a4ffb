"""Runs on disk: cache keys, the inputs that they cover, and the store of runs."""
