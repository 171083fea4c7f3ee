"""Composed data: objects of one data set before scenes of another, as a table with a shortcut of known strength."""
