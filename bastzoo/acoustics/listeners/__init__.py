"""Listeners: the ear responses of a person or a dummy, read, interpolated, and made."""
