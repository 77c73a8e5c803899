"""Rooms: binaural responses of a listener in a room."""
