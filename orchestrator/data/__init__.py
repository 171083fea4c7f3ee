"""Data sets as they come from their publishers: made ready, and checked."""
