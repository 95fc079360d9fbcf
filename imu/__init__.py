"""Counts squats and hip hinges from an inertial sensor worn at the hip."""
