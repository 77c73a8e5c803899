"""Answers from elsewhere, and answers that travel."""
