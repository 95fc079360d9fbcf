"""Recordings made by other apps, read as they are: one file for each format."""
