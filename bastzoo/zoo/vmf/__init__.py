"""Directions with a confidence: von Mises-Fisher heads and their loss."""
