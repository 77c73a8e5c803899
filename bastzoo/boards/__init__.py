"""Leaderboards: tables that are made of records and of nothing else."""
