"""Models that leave a run: built, loaded, and read from elsewhere."""
