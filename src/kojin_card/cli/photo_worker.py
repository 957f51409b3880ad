"""Decodes one JPEG 2000 (standard input) to greyscale (standard output), as a process that may be killed.

A photo of some hundred bytes can make the decoder take gigabytes, or minutes: tiles, precincts and layers multiply,
and no header tells in advance by how much. So :mod:`.pictures` runs this file by itself, under limits of the system.
Nothing but Pillow is imported, and nothing is said: any exit code but 0 is a photo that cannot be shown.
"""

import io
import struct
import sys
import warnings

MAX_PIXELS = 4_000_000
MEMORY_BYTES = 1 << 29
CPU_SECONDS = 5
HEAD = struct.Struct(">II")  # width and height, before the pixels


def _limit() -> None:
    try:
        import resource
    except ImportError:  # a system without such limits: the time-out of whoever runs this is left
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the photo is personal
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _main() -> int:
    data = sys.stdin.buffer.read()
    from PIL import Image

    _limit()
    warnings.simplefilter("error")
    with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as found:
        across, down = found.size
        if across * down > MAX_PIXELS:
            return 1
        found.load()
        image = found.convert("L")
    sys.stdout.buffer.write(HEAD.pack(*image.size) + image.tobytes())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    try:
        code = _main()
    except BaseException:  # its words and its traceback may hold parts of the photo
        code = 1
    sys.exit(code)
