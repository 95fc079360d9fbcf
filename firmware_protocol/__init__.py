"""Packets of our reference firmware. Nothing here yet; see the changelog's known gaps."""
