"""Recorded data: folders of WAV files and CSV indexes that researchers already have."""
