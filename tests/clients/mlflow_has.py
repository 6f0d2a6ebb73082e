"""Prints the runs of an experiment that an MLflow server has, as JSON."""

import json
import sys

from mlflow.tracking import MlflowClient

url, name = sys.argv[1:]
client = MlflowClient(url)
experiment = client.get_experiment_by_name(name)
runs = client.search_runs([experiment.experiment_id]) if experiment else []


def history(run, metric):
    return [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, metric)]


json.dump(
    [
        {
            "name": run.info.run_name,
            "status": run.info.status,
            "parameters": run.data.params,
            "metrics": {metric: history(run, metric) for metric in run.data.metrics},
            "files": {file.path: file.file_size for file in client.list_artifacts(run.info.run_id)},
        }
        for run in runs
    ],
    sys.stdout,
)
