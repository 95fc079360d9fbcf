"""Virtual twins: each sensor's side of the conversation in bytes, without Bluetooth."""
