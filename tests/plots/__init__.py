"""Pictures of runs, by the values that are drawn."""
