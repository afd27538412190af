"""What MLflow shows of a run: figures by name, a page in words, files, tables, and traces of answers."""
