"""Commands on models that left the harness."""
