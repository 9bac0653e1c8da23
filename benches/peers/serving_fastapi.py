"""The peer of works/serving.py: FastAPI, ONNX Runtime and Pillow, as one would write it. Run by uvicorn; MODEL and THREADS
(of a worker) come in the environment. The model is `pelage export onnx --input tensor`, so that both compute the
same."""
import io, json, os
import numpy
import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from PIL import Image, ImageOps

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["THREADS"])
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
facts = session.get_modelmeta().custom_metadata_map
classes, side = json.loads(facts["pelage.classes"]), session.get_inputs()[0].shape[2]
app = FastAPI()


def answer(body):
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("RGB").resize((side, side), Image.BILINEAR)
    pixels = numpy.asarray(picture, numpy.float32).transpose(2, 0, 1)[None] / 255
    return session.run(None, {"images": pixels})[0][0]


@app.get("/healthz")
def healthz():
    return "ok"


@app.post("/api/predict")
async def predict(request: Request):
    try:
        probabilities = await run_in_threadpool(answer, await request.body())
    except OSError:
        raise HTTPException(422, "not a picture")
    return [{"label": classes[i], "score": float(probabilities[i])} for i in probabilities.argsort()[::-1]]
