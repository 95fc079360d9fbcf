"""Exports of other apps: `formats` recognises them, the other modules read them."""
