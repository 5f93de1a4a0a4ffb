"""Decide whether two runs are alike, and whether a run from another machine may be shown."""
