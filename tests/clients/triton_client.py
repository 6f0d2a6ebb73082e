"""Asks a server with the client of NVIDIA Triton, which speaks the Open Inference Protocol, and prints what came of it."""

import json
import sys

import numpy
import tritonclient.http as http

address, model = sys.argv[1:]
client = http.InferenceServerClient(address)
metadata = client.get_model_metadata(model)
row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
inputs = []
for column in metadata["inputs"]:
    tensor = http.InferInput(column["name"], [1], "FP64")
    tensor.set_data_from_numpy(numpy.array([row[column["name"]]]), binary_data=False)
    inputs.append(tensor)
outputs = [http.InferRequestedOutput(output["name"], binary_data=False) for output in metadata["outputs"]]
answer = client.infer(model, inputs, outputs=outputs, request_id="1")
assert answer.as_numpy("probabilities").shape == (1, 3)
client.load_model(model)
json.dump(
    {
        "live": client.is_server_live(),
        "ready": client.is_server_ready() and client.is_model_ready(model),
        "prediction": answer.as_numpy("prediction").tolist(),
        "loaded": client.get_model_repository_index()[0]["state"] == "READY",
    },
    sys.stdout,
)
