"""Work on videos that needs a decoder, in a process of its own: `python -m core.media.files_av WHAT IN OUT`.

A video is decoded by C code of others: what kills or hangs it must not take a worker along. The process gets
no environment, little memory and little time.

poster: the first picture as a JPEG. tag: the same streams with the text of standard input as their comment
("" takes every tag away). comment: the comment, to standard output.
"""

import logging
import resource
import sys

import av
from av.container import InputContainer, OutputContainer
from PIL import Image

MEMORY = 4 << 30  # of address space: a decoder maps much and uses little
SECONDS = 60
BROKEN = 4  # the exit code for a file that cannot be worked on
LONGEST_SIDE = 1280


def poster(source: str, target: str) -> None:
    """Write the first picture as a JPEG."""
    with av.open(source) as found:
        container = _input(found)
        frame = next(container.decode(container.streams.video[0]))
        picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    picture.save(target, "JPEG", quality=85)


def tag(source: str, target: str, comment: str) -> None:
    """Copy the streams as they are, with the comment and no other tags."""
    options = {"movflags": "+faststart"} if target.endswith(".mp4") else {}
    with av.open(source) as found, av.open(target, "w", options=options) as made:
        if not isinstance(made, OutputContainer):
            raise ValueError("not an output")
        container = _input(found)
        wanted = [one for one in container.streams if one.type in ("video", "audio", "subtitle")]
        copies = {one.index: made.add_stream_from_template(one) for one in wanted}
        made.metadata.update({"comment": comment} if comment else {})
        for packet in container.demux(wanted):
            if packet.dts is None:
                continue
            packet.stream = copies[packet.stream.index]
            made.mux(packet)


def comment_of(source: str) -> str:
    """The comment, or ""."""
    with av.open(source) as found:
        tags = {name.lower(): value for name, value in found.metadata.items()}
    return tags.get("comment", "")


def _input(container: object) -> InputContainer:
    if not isinstance(container, InputContainer):
        raise ValueError("not an input")
    return container


def main(what: str, source: str, target: str = "") -> int:
    """Do one thing; returns the exit code."""
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if what == "poster":
            poster(source, target)
        elif what == "tag":
            tag(source, target, sys.stdin.buffer.read().decode())
        else:
            sys.stdout.buffer.write(comment_of(source).encode())
    except (av.FFmpegError, ValueError, LookupError, StopIteration, MemoryError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}"[:300])
        return BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
