"""Runs from other machines, in which nothing is trusted: validate them, read them, and accept them into the site."""
