// One model in WebAssembly: given a module and weights, then pictures, one at a time.

let model = null;

function give(bytes) {
  const at = model.room(bytes.byteLength) >>> 0;
  new Uint8Array(model.memory.buffer, at, bytes.byteLength).set(new Uint8Array(bytes));
}

const said = () => new TextDecoder().decode(new Uint8Array(model.memory.buffer, model.said() >>> 0, model.said_length()));

async function answer(asked) {
  if (asked.module) {
    model = (await WebAssembly.instantiate(asked.module, {})).exports;
    give(asked.model);
    return model.load(asked.reject ?? NaN) ? {} : { failure: said() };
  }
  give(await asked.file.arrayBuffer());
  model.predict();
  return { prediction: JSON.parse(said()) };
}

onmessage = async ({ data }) => {
  try { postMessage(await answer(data)); } catch (failure) {
    // Code that stopped in the middle is not to be called again.
    postMessage(failure instanceof WebAssembly.RuntimeError || failure instanceof RangeError ? { broke: true } : { failure: failure.message });
  }
};
