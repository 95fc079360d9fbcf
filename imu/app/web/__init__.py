"""The page: train with it and look back. A web server on this computer for its owner, and for guests of a training.

- :mod:`~imu.app.web.server`: listens, opens the browser, ends in good order.
- :mod:`~imu.app.web.guard`: who may ask, for what, by which key; :mod:`~imu.app.web.page`: what all pages share.
- :mod:`~imu.app.web.site`: which page has which address, and for whom; roster, wall, and trainings on the network.
- :mod:`~imu.app.web.history`, :mod:`~imu.app.web.session`, :mod:`~imu.app.web.files`: looking back, correcting,
  exports and imports; :mod:`~imu.app.web.charts` has the numbers that are drawn.
- :mod:`~imu.app.web.desk`: the trainings that run, one for each person; :mod:`~imu.app.web.board` turns a view into
  an object for pages and :mod:`~imu.app.web.live_socket` sends it.

Pages are rendered by Starlette and Jinja2 (``templates/``); ``static/`` has style, scripts and uPlot (MIT), which draws
charts. Starlette is imported only where a server is started.
"""
