"""A small student as an MLflow model on disk, and requests to the server of one."""

import base64
import io
import json
import types

import numpy as np

SIZE = 12
NAMES = {"a": "disc, plain", "b": "square"}


def save_model(folder, *, size=SIZE, width=8, classes=("a", "b", "c")):
    """Save an untrained student as `tracking` does; gives its network."""
    import mlflow
    import mlflow.pytorch

    from brain_teacher.networks.classifiers import Classifier, build_network
    from brain_teacher.tracking import models

    network = build_network(n_classes=len(classes), width=width, image_size=size, seed=0)
    network = Classifier(network).contiguous()
    made = types.SimpleNamespace(model_id="m-1", source_run_id="r")
    card = {"class_id": list(classes), "image_size": size, "class_name": NAMES}
    models._save_model(mlflow, made, folder, network, card)
    return network


def picture(seed=0, size=(40, 30), kind="PNG", mode="RGB"):
    """The bytes of a picture's file."""
    from PIL import Image

    values = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).convert(mode).save(stream, kind)
    return stream.getvalue()


def text(content):
    """Base64, as a client sends it."""
    return base64.b64encode(content).decode("ascii")


def request(*pictures, **more):
    """The body of a request."""
    return json.dumps({"inputs": list(pictures)} | more).encode()
