"""Virtual twins: what each sensor does with its bytes, without Bluetooth."""
