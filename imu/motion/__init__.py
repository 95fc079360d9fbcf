"""Pure signal processing: samples in, repetitions out. Knows no sensor, clock, file or event loop."""
