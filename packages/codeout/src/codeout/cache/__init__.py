"""Runs on disk: cache keys, the inputs that they cover, the store of runs, and recordings from other devices."""
