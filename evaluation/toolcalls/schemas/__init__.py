"""JSON Schema as tools use it, checked without a library: a file a group of keywords."""
