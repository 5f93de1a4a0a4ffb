"""Whether two runs are alike, and whether a run from elsewhere may be shown."""
