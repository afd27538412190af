"""What the rows are, in numbers, in a picture, and in warnings."""
