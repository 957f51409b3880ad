"""Make the images of the personas that are committed in ``fixtures/personas/images``: names, addresses, photos.

Pillow with OpenJPEG (the images extra) and a Japanese font are needed: install both where you run it.

python tools/make_images.py FONT.ttf     names and addresses from the personas' own files, photos from a drawing

What the pixels of a real card are is not public (card.md §13); 1-bit greyscale PNG and greyscale JPEG 2000 are.
"""

from __future__ import annotations

import io
import sys
import tomllib
from pathlib import Path

from PIL import Image, ImageDraw

from kojin_card.simulator.lettering import text_png

PERSONAS = Path(__file__).resolve().parents[1] / "fixtures" / "personas"
PHOTO = (180, 231)  # 35 mm to 45 mm
RATE = 24  # of JPEG 2000: about 1.7 KB


def face_jp2(hair: int, width: float) -> bytes:
    """A face that is nobody's: ovals and arcs in grey. ``hair`` is its grey, ``width`` the head's part of the width."""
    across, down = PHOTO
    image = Image.new("L", PHOTO, 232)
    draw = ImageDraw.Draw(image)
    middle, half = across / 2, across * width / 2
    draw.ellipse((middle - half * 1.25, down * 0.12, middle + half * 1.25, down * 0.62), fill=hair)
    draw.ellipse((middle - across * 0.46, down * 0.78, middle + across * 0.46, down * 1.4), fill=90)
    draw.rectangle((middle - half * 0.3, down * 0.62, middle + half * 0.3, down * 0.84), fill=186)
    draw.ellipse((middle - half, down * 0.2, middle + half, down * 0.74), fill=204)
    draw.pieslice((middle - half, down * 0.18, middle + half, down * 0.46), 180, 360, fill=hair)
    for side in (-1, 1):
        eye = middle + side * half * 0.45
        draw.ellipse((eye - 7, down * 0.42, eye + 7, down * 0.45), fill=40)
    draw.line((middle, down * 0.46, middle - 5, down * 0.55), fill=140, width=2)
    draw.arc((middle - half * 0.4, down * 0.54, middle + half * 0.4, down * 0.65), 20, 160, fill=80, width=3)
    out = io.BytesIO()
    image.save(out, "JPEG2000", quality_mode="rates", quality_layers=[RATE], num_resolutions=5)
    return out.getvalue()


FACES = {"adult": (50, 0.42), "child": (70, 0.5)}


def main(arguments: list[str]) -> int:
    """Write the images that the personas name; 2 without a font."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    font = Path(arguments[0])
    for path in sorted(PERSONAS.glob("*.toml")):
        persona = tomllib.loads(path.read_text("utf-8"))
        wanted = persona.get("images", {})
        made = {
            "name": lambda persona=persona: text_png(persona["holder"]["name"], font),
            "address": lambda persona=persona: text_png(persona["holder"]["address"], font),
            "photo": lambda persona=persona: face_jp2(*FACES[persona["persona"]["id"]]),
        }
        for what, name in wanted.items():
            if what == "photo" and persona["persona"]["id"] not in FACES:
                continue  # the drawing of another persona
            target = PERSONAS / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(made[what]())
            print(target, target.stat().st_size)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
