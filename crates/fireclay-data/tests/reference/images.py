"""Writes images.json: what Pillow and torchvision make of a small image.

usage: python images.py > images.json   (made with torch 2.15.0, torchvision 0.29.2)
"""
import io
import json

import numpy as np
import PIL
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode as I
from torchvision.transforms import functional as F

WIDTH, HEIGHT = 23, 17
y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
array = ((x * 9 + y * 13 + c * 83 + x * y * (c + 1) // 3) % 256).astype(np.uint8)
image = Image.fromarray(array)
assert image.mode == "RGB"
MODES = {"nearest": I.NEAREST, "bilinear": I.BILINEAR, "bicubic": I.BICUBIC, "lanczos": I.LANCZOS}


def out(img):
    img = img if isinstance(img, Image.Image) else F.to_pil_image(img)
    return {"width": img.width, "height": img.height, "channels": len(img.getbands()), "data": np.asarray(img).tobytes().hex()}


def encoded(img, format, **options):
    buffer = io.BytesIO()
    img.save(buffer, format, **options)
    data = buffer.getvalue()
    opened = Image.open(io.BytesIO(data))
    return {"hex": data.hex(), "rgb": out(opened.convert("RGB")), "gray": out(opened.convert("L"))}


resized = [
    {"mode": name, "size": size, "result": out(F.resize(image, size[::-1], mode))}
    for name, mode in MODES.items()
    for size in ([8, 6], [40, 31], [23, 9])
]
crops = [
    {"region": [3, 2, 15, 11], "result": out(F.resized_crop(image, 2, 3, 11, 15, [10, 10]))},
    {"region": [0, 0, 5, 6], "result": out(F.resized_crop(image, 0, 0, 6, 5, [10, 10]))},
]
# crop_ratio 0.8 of 8 pixels: resize the shorter side to 10, cut 8 by 8 out of the middle.
upright = F.rotate(image, 90, expand=True)
evaluated = [{"source": out(img), "result": out(F.center_crop(F.resize(img, 10), 8))} for img in (image, upright)]

affines = [
    {"angle": a, "translate": t, "scale": s, "shear": h, "center": z,
     "result": out(F.affine(image, a, t, s, h, interpolation=I.BILINEAR, fill=[7, 7, 7], center=z))}
    for a, t, s, h, z in [
        (30.0, [0, 0], 1.0, [0.0, 0.0], None),
        (-75.0, [3, -2], 0.7, [12.0, 0.0], None),
        (10.0, [0, 4], 1.6, [-20.0, 8.0], None),
        (0.0, [0, 0], 1.0, [16.7, 0.0], [0, 0]),
        (0.0, [-5, 0], 1.0, [0.0, 0.0], None),
    ]
]
turned = out(F.rotate(image, 20.0, interpolation=I.BILINEAR, fill=[7, 7, 7]))

tensor = torch.from_numpy(array).permute(2, 0, 1)
colors = {
    f"{name} {factor}": out(function(image, factor))
    for name, function in [("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast),
                           ("saturation", F.adjust_saturation), ("sharpness", F.adjust_sharpness)]
    for factor in (0.0, 0.4, 1.7)
}
colors |= {f"hue {turn}": out(F.adjust_hue(tensor, turn)) for turn in (-0.5, -0.2, 0.1, 0.45)}
colors |= {f"posterize {bits}": out(F.posterize(image, bits)) for bits in (8, 7, 4)}
colors |= {f"solarize {level}": out(F.solarize(image, level)) for level in (0.0, 178.5, 255.0)}
dull = Image.fromarray(array // 3 + 40)
colors |= {"autocontrast 0": out(F.autocontrast(dull)), "equalize 0": out(F.equalize(dull))}

large = Image.fromarray(np.tile(array, (4, 4, 1)))
alpha = Image.fromarray((array[:, :, 0] // 2))
rgba = image.copy()
rgba.putalpha(alpha)
gray = image.convert("L")
la = gray.copy()
la.putalpha(alpha)
files = {
    "png rgb": encoded(image, "PNG"),
    "png rgba": encoded(rgba, "PNG"),
    "png gray": encoded(gray, "PNG"),
    "png gray with alpha": encoded(la, "PNG"),
    "png palette": encoded(image.quantize(40), "PNG"),
    "png one bit": encoded(gray.convert("1"), "PNG"),
    "png interlaced": encoded(image, "PNG", interlace=1),
    "bmp": encoded(image, "BMP"),
    "bmp palette": encoded(image.quantize(40), "BMP"),
    "gif animation": encoded(image.quantize(40), "GIF", save_all=True, append_images=[gray.quantize(9)]),
    "webp lossless": encoded(image, "WEBP", lossless=True),
    "webp lossless alpha": encoded(rgba, "WEBP", lossless=True, exact=True),
}
lossy = {
    "jpeg": encoded(image, "JPEG", quality=90, subsampling=0),
    "jpeg gray": encoded(gray, "JPEG", quality=90),
    "jpeg progressive": encoded(image, "JPEG", quality=90, progressive=True, subsampling=0),
    "jpeg turned by exif": encoded(image, "JPEG", quality=90, subsampling=0, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
    "webp lossy": encoded(image, "WEBP", quality=90),
}
normalised = F.normalize(F.to_tensor(image), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
print(json.dumps({
    "pillow": PIL.__version__, "image": out(image), "resized": resized, "crops": crops, "evaluated": evaluated,
    "affines": affines, "rotated by 20": turned, "dull": out(dull), "colors": colors, "files": files, "lossy": lossy,
    "normalised": normalised.flatten().tolist()[::7],
}))
