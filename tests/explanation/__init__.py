"""What a network listens to."""
