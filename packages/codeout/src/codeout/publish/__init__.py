"""Prepare a site for publishing: check readiness, split work, test versions, report differences."""
