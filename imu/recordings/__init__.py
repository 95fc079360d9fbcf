"""Recordings: any file of samples, and the recording of a training, read, written and converted."""
