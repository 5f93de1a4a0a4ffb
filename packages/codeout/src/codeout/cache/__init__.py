"""Runs on disk: cache keys, the inputs that they cover, the store, and recordings of other devices."""
