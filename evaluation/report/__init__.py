"""The report of a run: one HTML page with its pictures, and what they are drawn from."""
