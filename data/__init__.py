"""Rows in: readers, validation, the report, and the one rendering that training and evaluation share."""
