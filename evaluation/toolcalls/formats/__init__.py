"""The formats that models write calls in, a module a family; `evaluation.toolcalls.parse` is the door."""
