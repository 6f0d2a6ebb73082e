"""Writes nf4.bin: numbers, and what bitsandbytes 0.50.2 makes of them by NF4 with double quantization on the CPU."""

import pathlib

import bitsandbytes.functional as F
import numpy
import torch

COUNT = 16_640

generator = numpy.random.default_rng(0)
numbers = generator.normal(0, 0.05, COUNT) * numpy.repeat(generator.uniform(0.3, 2, COUNT // 64), 64)
numbers = numpy.round(numbers * 8192).clip(-32768, 32767).astype("<i2")
codes, state = F.quantize_nf4(torch.tensor(numbers / 8192, dtype=torch.float32), blocksize=64, compress_statistics=True)
parts = [
    numbers,
    codes.numpy().astype("u1"),
    state.absmax.numpy().astype("u1"),
    state.state2.absmax.numpy().astype("<f4"),
    numpy.array(state.offset, dtype="<f4"),
]
path = pathlib.Path(__file__).with_name("nf4.bin")
path.write_bytes(b"".join(part.tobytes() for part in parts))
print(path.stat().st_size, "bytes")
