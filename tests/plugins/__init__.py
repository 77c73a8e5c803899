"""Plugins as third parties write them."""
