"""What the built-in tracks ask. Apart from them: a table names them, and loads no plugin for that."""

from __future__ import annotations

QUESTIONS = {
    "cross-environment": "What does a design that was trained in one room do in another?",
    "snr": "How does a design stand diffuse speech-shaped noise?",
    "snr-white": "How does a design stand diffuse white noise?",
    "duration": "How much of a sound does a design need to hear?",
    "unseen-head": "How does a design localize with ears that it was not trained on?",
    "off-grid": "What does a design answer between the azimuths that it was trained on?",
    "full-sphere": "How well does a design hear elevation too?",
    "multitask": "What was it, where was it and how high: how much of it does one model hear?",
    "sources": "How many sounds at once does a design find, and where?",
    "unseen-world": "What does a design do in rooms, places and ears that it was not trained in?",
    "measured-rooms": "What does a design do in four real rooms, with ears that it never heard?",
    "left-out-room": "What does a design do in a real room, when it was trained in three others?",
    "measured-heads": "What does a design do with the ears of five people that it never heard?",
}
"""What each track asks: the built-in ones, in the order of tables."""
