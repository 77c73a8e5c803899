"""From a recording to what a model hears, and from its answers to windows, segments and a picture."""
