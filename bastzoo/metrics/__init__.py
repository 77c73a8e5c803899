"""Metrics of the protocol (docs/protocol.md): numpy arrays in, figures out, no torch."""
