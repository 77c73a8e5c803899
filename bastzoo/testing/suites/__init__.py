"""The promises of each kind of component, one module a kind."""
