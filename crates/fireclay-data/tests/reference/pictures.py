"""Writes pictures.json: files of images that are turned, transparent, deep or several, and what Pillow sees in them.

usage: python pictures.py > pictures.json   (made with Pillow 13.0.0, numpy)
"""
import io
import json
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

WIDTH, HEIGHT = 11, 7
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
array = ((x * 20 + y * 9 + c * 60) % 256).astype(np.uint8)
image = Image.fromarray(array)
gray = image.convert("L")
alpha = Image.fromarray(np.where((x + y)[:, :, 0] % 3 == 0, 0, np.where(x[:, :, 0] > 6, 255, 25 * x[:, :, 0])).astype(np.uint8))
rgba = image.copy()
rgba.putalpha(alpha)
la = gray.copy()
la.putalpha(alpha)
opaque = image.convert("RGBA")


def out(img):
    return {"width": img.width, "height": img.height, "channels": len(img.getbands()), "data": img.tobytes().hex()}


def saved(img, format, **options):
    buffer = io.BytesIO()
    img.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def late(png):
    """The same PNG file with its EXIF chunk behind the pixels."""
    chunks, at = [], 8
    while at < len(png):
        length = struct.unpack(">I", png[at:at + 4])[0]
        chunks.append(png[at:at + 12 + length])
        at += 12 + length
    own = [chunk for chunk in chunks if chunk[4:8] == b"eXIf"]
    rest = [chunk for chunk in chunks if chunk[4:8] != b"eXIf"]
    assert len(own) == 1
    return png[:8] + b"".join(rest[:-1] + own + rest[-1:])


def turned(data):
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    opened = Image.open(io.BytesIO(data))
    # Of TIFF files Pillow turns the pixels as it loads them.
    stored = image if opened.format == "TIFF" else opened
    return {"hex": data.hex(), "upright": out(upright), "stored": out(stored.convert("RGB"))}


def over(level, data):
    """Composited in exact numbers; Pillow's own rounding is off by one in places."""
    opened = Image.open(io.BytesIO(data)).convert("RGBA")
    values = np.asarray(opened).astype(np.float64)
    share = values[:, :, 3:] / 255
    mixed = np.floor(values[:, :, :3] * share + level * (1 - share) + 0.5).astype(np.uint8)
    return out(Image.fromarray(mixed))


def transparent(data):
    opened = Image.open(io.BytesIO(data))
    return {"hex": data.hex(), "white": over(255, data), "black": over(0, data), "none": out(opened.convert("RGBA").convert("RGB"))}


def plain(data, count=1):
    opened = Image.open(io.BytesIO(data))
    assert getattr(opened, "n_frames", 1) == count
    return {"hex": data.hex(), "rgb": out(opened.convert("RGB")), "several": count > 1}


def deep_png(values):
    """A PNG of 16-bit colour, which Pillow cannot write."""
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


palette = rgba.quantize(30)
keyed = image.quantize(30)
deep = (array.astype(np.uint16) * 257)
frames = [image, gray.convert("RGB"), image.transpose(Image.Transpose.ROTATE_180)]
print(json.dumps({
    "pillow": PIL.__version__,
    "turned": {
        f"{name} {n}": turned(saved(image, format, exif=exif(n), **options))
        for n in range(1, 9)
        for name, format, options in [
            ("jpeg", "JPEG", {"quality": 95, "subsampling": 0}),
            ("png", "PNG", {}),
            ("webp", "WEBP", {"lossless": True}),
            ("tiff", "TIFF", {}),
        ]
    } | {
        "gray jpeg 6": turned(saved(gray, "JPEG", exif=exif(6), quality=95)),
        "rgba png 8": turned(saved(opaque, "PNG", exif=exif(8))),
        "late png 6": turned(late(saved(image, "PNG", exif=exif(6)))),
        "no such orientation": turned(saved(image, "PNG", exif=exif(77))),
    },
    "transparent": {
        "png colour": transparent(saved(rgba, "PNG")),
        "png gray": transparent(saved(la, "PNG")),
        "png palette": transparent(saved(palette, "PNG")),
        "png one colour": transparent(saved(image, "PNG", transparency=tuple(int(v) for v in array[2, 3]))),
        "gif": transparent(saved(keyed, "GIF", transparency=5)),
        "webp": transparent(saved(rgba, "WEBP", lossless=True, exact=True)),
        "tiff": transparent(saved(rgba, "TIFF", compression="tiff_lzw")),
    },
    "plain": {
        "png opaque": plain(saved(opaque, "PNG")),
        "tiff": plain(saved(image, "TIFF")),
        "tiff packed": plain(saved(image, "TIFF", compression="packbits")),
        "tiff deflate": plain(saved(image, "TIFF", compression="tiff_adobe_deflate")),
        "tiff gray": plain(saved(gray, "TIFF", compression="tiff_lzw")),
        "tiff one bit": plain(saved(gray.convert("1"), "TIFF")),
        "tiff pages": plain(saved(image, "TIFF", save_all=True, append_images=frames[1:]), 3),
        "gif frames": plain(saved(image.quantize(30), "GIF", save_all=True, append_images=[frame.quantize(30) for frame in frames[1:]], loop=0), 3),
        "webp frames": plain(saved(image, "WEBP", lossless=True, save_all=True, append_images=frames[1:]), 3),
        "png frames": plain(saved(image, "PNG", save_all=True, append_images=frames[1:]), 3),
        "jpeg of ink": plain(saved(image.convert("CMYK"), "JPEG", quality=95, subsampling=0)),
    },
    "deep": {"hex": deep_png(deep).hex(), "rgb": out(image)},
}))
