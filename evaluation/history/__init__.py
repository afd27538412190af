"""Runs over time: what each came to on the same test set, and whether a later one is really better."""
