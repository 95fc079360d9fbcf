"""Exports of other apps: `formats` recognises them, one module for each maker reads them."""
