"""Prints what TensorBoard reads from a folder of event files, as JSON."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
found.Reload()


def parameter(value):
    kind = value.WhichOneof("kind")
    return getattr(value, kind)


parameters = {}
for tag, content in found.PluginTagToContent("hparams").items():
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    for name, value in data.session_start_info.hparams.items():
        parameters[name] = parameter(value)

scalars = {
    tag: [[event.step, event.value] for event in found.Scalars(tag)]
    for tag in found.Tags()["scalars"]
}
texts = {
    tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
    for tag in found.Tags()["tensors"]
    if found.SummaryMetadata(tag).plugin_data.plugin_name == "text"
}
json.dump({"scalars": scalars, "texts": texts, "parameters": parameters}, sys.stdout)
