"""Requests to our firmware -> what it does and answers. This module refuses to know how either travels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firmware_protocol import Answer, AnswerStatus, Fields, Op, Request
from imu.virtual.sensors.reference_firmware import ReferenceFirmware
from imu.virtual.sensors.reference_ring import Cursor

Outcome = tuple[AnswerStatus, Fields]
NOTHING: Final = Fields()


def obey(firmware: ReferenceFirmware, request: Request, now_s: float) -> Answer:
    """Do what is asked for, and answer."""
    firmware.advance(now_s)
    do = _DOINGS.get(request.op)
    if do is None:
        return Answer(request.op, request.request_id, AnswerStatus.UNKNOWN_OP)
    status, fields = do(firmware, request.fields, now_s)
    return Answer(request.op, request.request_id, status, fields)


def _set_config(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    if asked.nominal_rate_hz is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    ranges = asked.acceleration_range_g, asked.angular_velocity_range_dps
    if not firmware.configure(asked.nominal_rate_hz, *ranges, now_s):
        return AnswerStatus.OUT_OF_RANGE, NOTHING
    settings = firmware.settings
    return AnswerStatus.OK, Fields(
        epoch=firmware.epoch,
        nominal_rate_hz=settings.nominal_rate_hz,
        acceleration_range_g=settings.acceleration_range_g,
        angular_velocity_range_dps=settings.angular_velocity_range_dps,
    )


def _start(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    del asked
    if not firmware.start(now_s):
        return AnswerStatus.SENSOR_FAILED, NOTHING
    return AnswerStatus.OK, _at(firmware, firmware.ring.next_index)


def _stop(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    del asked
    if not firmware.stop(now_s):
        return AnswerStatus.NOT_RUNNING, NOTHING
    return AnswerStatus.OK, Fields(epoch=firmware.epoch, first_index=firmware.ring.next_index)


def _resend(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    del now_s
    if asked.first_index is None or asked.count is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    if firmware.resend is not None:
        return AnswerStatus.BUSY, NOTHING
    first, end = firmware.ring.available(asked.first_index, asked.count)
    if first == end or asked.epoch not in (None, firmware.epoch):
        return AnswerStatus.NOT_AVAILABLE, NOTHING
    firmware.resend = Cursor(first, end)
    return AnswerStatus.OK, Fields(epoch=firmware.epoch, first_index=first, count=end - first)


def _identify(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    del asked, now_s
    firmware.identified += 1
    return AnswerStatus.OK, NOTHING


def _mark(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    del asked, now_s
    if not firmware.measuring or firmware.ring.next_index == 0:
        return AnswerStatus.NOT_RUNNING, NOTHING
    return AnswerStatus.OK, _at(firmware, firmware.ring.next_index - 1)


def _set_time(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    if asked.host_time_us is None:
        return AnswerStatus.MISSING_FIELD, NOTHING
    device_time_us = firmware.clock(now_s).microseconds(now_s)
    firmware.host_time = asked.host_time_us, device_time_us
    return AnswerStatus.OK, Fields(host_time_us=asked.host_time_us, device_time_us=device_time_us)


def _sleep(firmware: ReferenceFirmware, asked: Fields, now_s: float) -> Outcome:
    """Only answer: whoever carries the answer switches off after it."""
    del firmware, asked, now_s
    return AnswerStatus.OK, NOTHING


def _at(firmware: ReferenceFirmware, index: int) -> Fields:
    return Fields(epoch=firmware.epoch, first_index=index, device_time_us=firmware.time_us(index))


_DOINGS: Final[dict[int, Callable[[ReferenceFirmware, Fields, float], Outcome]]] = {
    Op.SET_CONFIG: _set_config,
    Op.START: _start,
    Op.STOP: _stop,
    Op.RESEND: _resend,
    Op.IDENTIFY: _identify,
    Op.MARK: _mark,
    Op.SET_TIME: _set_time,
    Op.SLEEP: _sleep,
}
