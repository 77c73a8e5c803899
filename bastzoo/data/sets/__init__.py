"""Data sets that users fetch: what is in one, where it lies, and how it comes there, checksummed."""
