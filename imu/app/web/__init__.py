"""The page: train with it, come back to it. A web server on this computer, for its people only.

- :mod:`~imu.app.web.server`: listens, opens the browser, ends in good order;
- :mod:`~imu.app.web.guard`: who may ask at all;
- :mod:`~imu.app.web.desk`: the training that goes on, which belongs to the server and not to a page;
- :mod:`~imu.app.web.board`: a view of a training -> what pages show of it; :mod:`~imu.app.web.live_socket` sends it;
- :mod:`~imu.app.web.site`: which page is where.

NiceGUI is imported only where a server is started.
"""
