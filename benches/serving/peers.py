"""What `fireclay serve` is compared with: the same weights behind FastAPI and uvicorn, as one would write it.

`torch` reads what `fireclay export` writes, `onnx` what `fireclay export --format onnx` writes, and `generate` a language
model by transformers. Requests and answers are those of `fireclay serve`. What FastAPI could do beyond that and takes time
(models of pydantic, the encoder of answers) is left out.

usage: python benches/serving/peers.py {torch|onnx|generate} FOLDER PORT [--workers 1] [--threads 1]
"""

import argparse
import asyncio
import io
import json
import os
import pathlib

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

BEST = 5  # classes that an answer for an image names
STREAMS = 8  # texts that are written together
WAIT = 0.01  # seconds in which they are gathered


def load(path):
    return json.loads(pathlib.Path(path).read_text())


# --- models: arrays in, probabilities out ---


def torch_model(folder):
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(int(os.environ["PEER_THREADS"]))
    weights = load_file(folder / "model.safetensors")
    network = torch_cnn(weights) if "fc.weight" in weights else torch_mlp(weights)
    network.load_state_dict(weights, strict=True)
    network.eval()

    @torch.inference_mode()
    def probabilities(x):
        return torch.softmax(network(torch.from_numpy(x)), 1).numpy()

    return probabilities


def torch_mlp(weights):
    import torch
    from torch import nn

    class Mlp(nn.Module):
        """`mlp` with batch norm and ReLU, by fireclay's names."""

        def __init__(self):
            super().__init__()
            shapes = [weights[f"layers.{i}.weight"].shape for i in range(len([name for name in weights if name.startswith("layers.")]) // 2)]
            self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for outputs, inputs in shapes)
            self.norms = nn.ModuleList(nn.BatchNorm1d(outputs) for outputs, _ in shapes[:-1])

        def forward(self, x):
            for layer, norm in zip(self.layers, self.norms):
                x = torch.relu(norm(layer(x)))
            return self.layers[-1](x)

    return Mlp()


def torch_cnn(weights):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)])
            self.norms = nn.ModuleList([nn.BatchNorm2d(outputs)])

        def forward(self, x):
            return F.max_pool2d(torch.relu(self.norms[0](self.convs[0](x))), 2)

    class Cnn(nn.Module):
        """`cnn` of one convolution a block with batch norm and ReLU, by fireclay's names."""

        def __init__(self):
            super().__init__()
            shapes = [weights[name].shape for name in sorted(weights) if name.endswith("convs.0.weight")]
            self.blocks = nn.ModuleList(Block(inputs, outputs) for outputs, inputs, _, _ in shapes)
            self.fc = nn.Linear(*reversed(weights["fc.weight"].shape))

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return self.fc(x.mean((2, 3)))

    return Cnn()


def onnx_model(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["PEER_THREADS"])
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(["probabilities"], {name: x})[0]


# --- what a request is to a model, and what the model is to an answer ---


class Table:
    """Rows of numbers, whose logarithm is standardised; onnxruntime's file does that itself."""

    def __init__(self, folder, model, raw):
        features = load(folder / "preprocess.json")["features"]
        self.names = [feature["name"] for feature in features]
        self.shift, self.scale = (np.array([feature[key] for feature in features]) for key in ["shift", "scale"])
        self.classes, self.model, self.raw = load(folder / "postprocess.json")["classes"], model, raw

    def __call__(self, body):
        rows = json.loads(body)
        x = np.array([[row[name] for name in self.names] for row in (rows if isinstance(rows, list) else [rows])], np.float64)
        if not self.raw:
            x = ((np.sign(x) * np.log1p(np.abs(x)) - self.shift) / self.scale).astype(np.float32)
        answers = []
        for number, row in enumerate(self.model(x).tolist(), 1):
            answer = {"row": number, "prediction": self.classes[int(row[1] >= 0.5)]}
            answer.update((f"probability_{name}", p) for name, p in zip(self.classes, row))
            answers.append(answer)
        return answers


class Image:
    """A picture in grey."""

    def __init__(self, folder, model, _):
        self.made = load(folder / "preprocess.json")
        self.classes, self.model = load(folder / "postprocess.json")["classes"], model

    def __call__(self, body):
        from PIL import Image as Picture

        made, picture = self.made, Picture.open(io.BytesIO(body)).convert("L")
        if picture.size != (made["width"], made["height"]):
            picture = picture.resize((made["width"], made["height"]), Picture.BILINEAR)
        x = (np.asarray(picture, np.float32) / 255 - made["mean"][0]) / made["std"][0]
        row = self.model(x[None, None].astype(np.float32))[0]
        best = np.argsort(-row, kind="stable")[:BEST]
        answer = {"image": "1", "prediction": self.classes[best[0]]}
        for rank, index in enumerate(best, 1):
            answer.update({f"class_{rank}": self.classes[index], f"probability_{rank}": float(row[index])})
        return [answer]


def serve_answers(app, kind, root):
    make = {"torch": torch_model, "onnx": onnx_model}[kind]
    served = {}
    for folder in sorted(root.iterdir()):
        reader = Image if load(folder / "preprocess.json").get("kind") == "image" else Table
        served[folder.name] = reader(folder, make(folder), kind == "onnx")

    @app.post("/predict/{name}")
    async def predict(name: str, request: Request):
        # In the loop itself: these models take less time than to hand them to a thread.
        answers = served[name](await request.body())
        return JSONResponse({"model": name, "predictions": answers, "notes": []})


# --- texts: up to eight are gathered and written together ---


def serve_texts(app, root):
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(int(os.environ["PEER_THREADS"]))
    model = AutoModelForCausalLM.from_pretrained(root).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(root / "tokenizer.json"), padding_side="left")
    # Padding is masked; any token will do.
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
    waiting = asyncio.Queue()

    @torch.inference_mode()
    def write(texts, most):
        inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
        # As long as was asked for: no token ends a text.
        tokens = model.generate(**inputs, max_new_tokens=most, min_new_tokens=most, do_sample=False, pad_token_id=0, eos_token_id=None)
        return tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :])

    async def work():
        while True:
            asked = [await waiting.get()]
            try:
                async with asyncio.timeout(WAIT):
                    while len(asked) < STREAMS:
                        asked.append(await waiting.get())
            except TimeoutError:
                pass
            most = max(body["max_tokens"] for body, _ in asked)
            texts = await asyncio.to_thread(write, [body["prompt"] for body, _ in asked], most)
            for (_, reply), text in zip(asked, texts):
                reply.set_result(text)

    @app.post("/v1/completions")
    async def completions(request: Request):
        if not hasattr(app.state, "worker"):
            app.state.worker = asyncio.create_task(work())
        body, reply = await request.json(), asyncio.get_running_loop().create_future()
        await waiting.put((body, reply))
        text = await reply
        return JSONResponse({"choices": [{"text": text}], "usage": {"completion_tokens": body["max_tokens"]}})


def app():
    """What each worker of uvicorn makes."""
    made, kind, root = FastAPI(openapi_url=None), os.environ["PEER_KIND"], pathlib.Path(os.environ["PEER_FOLDER"])
    if kind == "generate":
        serve_texts(made, root)
    else:
        serve_answers(made, kind, root)
    return made


def main():
    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["torch", "onnx", "generate"])
    parser.add_argument("folder", help="a folder of exports by name; for generate the export itself")
    parser.add_argument("port", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="threads of each worker")
    args = parser.parse_args()
    os.environ.update(PEER_KIND=args.kind, PEER_FOLDER=args.folder, PEER_THREADS=str(args.threads))
    here = str(pathlib.Path(__file__).parent)
    uvicorn.run("peers:app", factory=True, app_dir=here, port=args.port, workers=args.workers, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
