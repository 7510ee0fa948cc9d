"""Outside: one conversation with a process that nobody trusts, and what it prints. Every wait has an end."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from awm_gym.errors import EnvironmentFault
from awm_gym.sandbox import frames
from awm_gym.sandbox.frames import HEADER_BYTES, Frame, FrameError

_CREDENTIALS = struct.Struct("=iII")  # of a sender, as the kernel vouches for them: process, user, group
_SOME = 2**16  # bytes of output read at once


class LineClosed(EnvironmentFault):
    """The other side is gone."""


class Signed(NamedTuple):
    """A message, and the process that the kernel saw sending it."""

    message: dict[str, Any]
    process: int


class Line:
    """This side's end of a conversation, and of the pipe that takes what the other side prints."""

    def __init__(self, channel: socket.socket, output: int, *, frame: int, kept: int) -> None:
        """Take over both ends.

        Args:
            channel: a connected stream socket.
            output: the descriptor to read what is printed from.
            frame: the most bytes of one frame.
            kept: how many bytes of what is printed are kept, from the end.
        """
        channel.setblocking(False)
        os.set_blocking(output, False)
        self._channel, self._output, self._frame, self._kept = channel, output, frame, kept
        self._printed = bytearray()
        self._watch = select.poll()
        self._watch.register(output, select.POLLIN)

    @property
    def printed(self) -> str:
        """The end of what the other side has printed."""
        return self._printed.decode("utf-8", "replace")

    def send(self, data: bytes, end: float, descriptors: Sequence[int] = ()) -> None:
        """Send a frame; descriptors travel with its first byte.

        Raises:
            EnvironmentFault: the other side did not take it before `end` (of `time.monotonic`), or is gone.
        """
        rest = memoryview(data)
        while rest:
            try:
                sent = socket.send_fds(self._channel, [rest], descriptors) if descriptors else self._channel.send(rest)
                rest, descriptors = rest[sent:], ()
            except BlockingIOError:
                self._wait(select.POLLOUT, end)
            except OSError as error:
                raise LineClosed("the worker has ended") from error

    def receive(self, end: float) -> Frame:
        """Wait for a frame.

        Raises:
            EnvironmentFault: none came before `end`; or it is too long, or no JSON; or the other side is gone.
        """
        return self._rest(self._exactly(HEADER_BYTES, end), end)

    def receive_signed(self, end: float) -> Signed:
        """Wait for a frame that tells, by the word of the kernel, which process sent it. The channel must ask for it.

        Raises:
            EnvironmentFault: as `receive`.
        """
        self._wait(select.POLLIN, end)
        header, told, _, _ = self._channel.recvmsg(HEADER_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        if len(header) < HEADER_BYTES:
            raise LineClosed("the worker ended before it was ready")
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        return Signed(self._rest(header, end).message, _CREDENTIALS.unpack(told[0][2])[0])

    def listen(self) -> bool:
        """Keep the end of what was printed by now. False if nothing more can come."""
        try:
            part = os.read(self._output, _SOME)
        except BlockingIOError:
            return True
        self._printed += part
        del self._printed[: max(0, len(self._printed) - self._kept)]
        return bool(part)

    def close(self) -> None:
        """Close both ends, after a last look at what was printed."""
        self.listen()
        self._channel.close()
        os.close(self._output)

    def _rest(self, header: bytes, end: float) -> Frame:
        try:
            sizes = frames.lengths(header, limit=self._frame)
            return Frame(frames.decode(self._exactly(sizes.message, end)), self._exactly(sizes.blob, end))
        except FrameError as error:
            raise EnvironmentFault(f"the worker sent {error}") from error

    def _exactly(self, size: int, end: float) -> bytes:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            self._wait(select.POLLIN, end)
            try:
                received = self._channel.recv_into(rest)
            except OSError as error:
                raise LineClosed("the worker has ended") from error
            if not received:
                raise LineClosed("the worker has ended")
            rest = rest[received:]
        return bytes(data)

    def _wait(self, event: int, end: float) -> None:
        """Until the channel is ready for an event; meanwhile read what is printed, so that printing never blocks."""
        self._watch.register(self._channel, event)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise EnvironmentFault("the worker did not answer in time")
            found = [descriptor for descriptor, _ in self._watch.poll(left * 1_000)]
            if self._output in found and not self.listen():
                self._watch.unregister(self._output)
            if self._channel.fileno() in found:
                return
