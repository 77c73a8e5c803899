"""Commands that draw: reports of runs, and what a network listens to."""
