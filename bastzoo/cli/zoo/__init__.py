"""Commands about the zoo itself: components, plugins, what this installation can do."""
