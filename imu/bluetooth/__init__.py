"""The Bluetooth LE client: scan, connect, keep the link, and name what went wrong."""
