"""Rows that travel: a bundle of record, predictions and environment, and what checks it."""
