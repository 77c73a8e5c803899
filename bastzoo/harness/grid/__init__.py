"""The grid: axes to combinations, combinations to jobs, jobs to records and boards."""
