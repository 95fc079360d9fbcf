"""Scores of the counting against recordings whose truth is known."""
