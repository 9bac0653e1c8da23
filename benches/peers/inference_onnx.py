"""A network in ONNX Runtime, as it is or in int8, its batch fixed when it is read."""

import functools

import numpy, onnxruntime

import line


@functools.lru_cache(maxsize=8)
def session(path, batch, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_free_dimension_override_by_name("batch", batch)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def rate(path, batch, threads):
    made = session(path, batch, threads)
    given = made.get_inputs()[0]
    pixels = numpy.random.default_rng(1).uniform(0, 1, [batch, *given.shape[1:]]).astype(numpy.float32)
    return line.rate(lambda: made.run(None, {given.name: pixels}), batch)


def quantize(path, into):
    """Per channel, U8S8, with ranges from noise, in the two formats that it has: their files."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Noise(CalibrationDataReader):
        def __init__(self, given):
            random = numpy.random.default_rng(0)
            self.left = [
                {given.name: random.uniform(0, 1, [1, *given.shape[1:]]).astype(numpy.float32)} for _ in range(4)
            ]

        def get_next(self):
            return self.left.pop() if self.left else None

    ready, written = f"{into}/ready.onnx", {}
    quant_pre_process(path, ready, skip_symbolic_shape=True)
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        written[str(form)] = f"{into}/{form}.onnx"
        quantize_static(
            ready,
            written[str(form)],
            Noise(session(path, 1, 1).get_inputs()[0]),
            quant_format=form,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return written


line.answer(rate=rate, quantize=quantize)
