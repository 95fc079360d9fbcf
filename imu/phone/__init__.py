"""A phone as the sensor: its browser opens a page over HTTPS on the local network and sends its motion.

`certificate` makes what HTTPS needs, `server` serves the page and the socket, and `link` carries messages between a
phone and a training, as :mod:`imu.bluetooth.link` does for a Bluetooth sensor. The bytes are those of
:mod:`imu.sensors.phone`. Needs the extra ``share``.
"""
