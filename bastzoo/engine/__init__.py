"""Training and evaluation of one experiment."""
