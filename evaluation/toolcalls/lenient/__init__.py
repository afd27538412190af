"""What a lenient parse recovers; a strict one imports none of it."""
