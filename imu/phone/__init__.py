"""A phone as the sensor: its browser opens a page over HTTPS on the local network and sends its motion, or an app does.

`gate` guards the port of every server, `browser` serves the page that a phone's browser opens, with the certificate for
HTTPS, `push` takes the messages of Sensor Logger, and `link` carries messages between a phone and a training, as
:mod:`imu.bluetooth.link` does for a Bluetooth sensor. The bytes are those of :mod:`imu.sensors.phone` and
:mod:`imu.sensors.sensor_logger_push`. Needs the extra ``share``.
"""
