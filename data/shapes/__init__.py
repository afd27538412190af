"""The shapes, wrappers and dialects that rows are published in, brought to the canonical row."""
