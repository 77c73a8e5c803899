"""Models as folders that others load: the record, the package, its card, a hub."""
