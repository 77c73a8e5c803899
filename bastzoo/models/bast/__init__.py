"""Checkpoints of BAST and BAST-Mamba: read without executing anything, and turned into models of ours."""
