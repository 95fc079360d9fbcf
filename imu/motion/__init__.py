"""Pure signal processing: samples in, repetitions out. No sensor, clock, file or event loop in here."""
