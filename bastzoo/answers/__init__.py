"""Answers that travel: clips of tracks for methods from elsewhere, their scores, and submissions."""
