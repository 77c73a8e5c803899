"""Commands about answers: `clips`, `score`, `runs answers`, `reproduce`, `submit`, `submissions`."""
