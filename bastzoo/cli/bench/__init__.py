"""Commands that train and test."""
