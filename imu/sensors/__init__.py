"""Real sensors, one file each; none yet."""
