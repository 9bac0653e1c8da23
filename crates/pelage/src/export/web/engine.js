// The model, in workers: each holds all of it and takes one picture at a time.

import { text } from "./text.js";

// The most workers, and the most bytes that their copies of the weights may take.
const MOST = 4;
const MEMORY = 1e9;

// The smallest modules with an instruction of each kind, by which a browser tells whether it knows it.
const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10];
const knows = (...code) => WebAssembly.validate(new Uint8Array([...head, ...code]));
const relaxed = () => knows(15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11);
const simd = () => knows(10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

export class Engine {
  #site;
  #workers = [];
  #waiting = [];
  #loaded;
  #most = 1;

  constructor(site) { this.#site = site; }

  // Fetches module and weights; `progress` gets the bytes so far, and all.
  load(progress) { return this.#loaded ??= this.#load(progress); }

  async #load(progress) {
    const name = relaxed() ? "pelage-relaxed.wasm" : "pelage.wasm";
    if (!simd()) throw new Error(text("tooOld"));
    const { model_bytes: all, memory_bytes } = this.#site;
    const [code, model] = await Promise.all([this.#bytes(name), this.#bytes("model.safetensors", (done) => progress(done, all))]);
    const module = await WebAssembly.compile(code);
    this.#most = Math.max(1, Math.min(MOST, navigator.hardwareConcurrency || 1, Math.floor(MEMORY / memory_bytes)));
    return { module, model };
  }

  // A file of the site. What was fetched once stays there, for times without a network.
  async #bytes(name, progress = () => {}) {
    const url = new URL(name, document.baseURI);
    const cache = await globalThis.caches?.open(`pelage ${new URL("./", document.baseURI)} ${this.#site.version}`).catch(() => null);
    const kept = await cache?.match(url);
    if (kept) return kept.arrayBuffer();
    const answer = await fetch(url, { cache: "no-cache" });
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
    const parts = [];
    let done = 0;
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      progress(done += part.value.length);
    }
    const whole = new Blob(parts);
    // A browser that has no room for it asks again next time.
    await cache?.put(url, new Response(whole)).catch(() => {});
    return whole.arrayBuffer();
  }

  // What the model sees in a file; `busy` is told why it takes a while.
  async predict(file, busy) {
    busy(text("loading"));
    await this.#loaded;
    busy(text("waiting"));
    const worker = await this.#free();
    try {
      const { prediction, failure } = await worker.ask({ file });
      if (failure) throw new Error(failure);
      if (prediction.error) throw new Error(prediction.error);
      return { ...prediction, path: file.name };
    } finally { this.#release(worker); }
  }

  // A worker that has nothing to do, now or in a while.
  async #free() {
    const idle = this.#workers.find((worker) => !worker.busy);
    if (idle) {
      idle.busy = true;
      return idle;
    }
    if (this.#workers.length >= this.#most) return new Promise((...ends) => this.#waiting.push(ends));
    const worker = new Colleague();
    this.#workers.push(worker);
    const { failure } = await worker.ask({ ...await this.#loaded, reject: this.#site.reject });
    if (failure) {
      worker.broken = true;
      this.#release(worker);
      throw new Error(text("notLoaded", failure));
    }
    return worker;
  }

  #release(worker) {
    if (worker.broken) {
      worker.end();
      this.#workers = this.#workers.filter((other) => other !== worker);
      // Another takes its place.
      const next = this.#waiting.shift();
      if (next) this.#free().then(...next);
      return;
    }
    const [next] = this.#waiting.shift() ?? [];
    if (next) next(worker); else worker.busy = false;
  }
}

// One worker, asked one thing at a time.
class Colleague {
  #worker = new Worker(new URL("worker.js", import.meta.url));
  busy = true;
  broken = false;

  ask(question) {
    return new Promise((done) => {
      const broke = () => {
        this.broken = true;
        done({ failure: text("broken") });
      };
      this.#worker.onerror = broke;
      this.#worker.onmessage = ({ data }) => (data.broke ? broke() : done(data));
      this.#worker.postMessage(question);
    });
  }

  end() { this.#worker.terminate(); }
}
