"""Recordings of any form: `recording` opens them, `conversion` rewrites them, `training_recorder` writes trainings."""
