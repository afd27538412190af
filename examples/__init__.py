"""The shipped rows, what they are composed from, and execution inputs to start with."""
