"""Prepare a site for publishing: accept recordings, check readiness, split work, test versions, report differences."""
