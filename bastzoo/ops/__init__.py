"""Numerical operators that the backbones need and that PyTorch does not have."""
