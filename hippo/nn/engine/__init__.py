"""The unroll engine: whole sequences through a recurrence, with hand-written adjoints (docs/engine.md)."""
