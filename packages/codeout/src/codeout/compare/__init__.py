"""Decide whether two runs are alike: their texts, their numbers, and what their pictures look like."""
