// The page of a model that runs in this browser.

import { find, make } from "./dom.js";
import { Engine } from "./engine.js";
import * as model from "./model.js";
import * as pictures from "./pictures.js";
import { text, translate, chooser } from "./text.js";
import * as views from "./views.js";

let served = null;
// What is said while the model is loaded; [] once it is.
let loading = ["loading"];

function tell() { find("#loading").textContent = loading.length ? text(...loading) : ""; }

function show() {
  if (served) views.show({ try: pictures, model }, served);
  tell();
}

function load(words) {
  loading = words;
  tell();
}

async function start() {
  try {
    const site = await (await fetch("site.json", { cache: "no-cache" })).json();
    const engine = new Engine(site);
    served = {
      ...site,
      predict: (_, file, busy) => engine.predict(file, busy),
      drawing: async (_, image) => { image.src = "architecture.svg"; await image.decode(); },
    };
    show();
    await engine.load((done, all) => load(["loadingShare", (done / 1e6).toFixed(1), (all / 1e6).toFixed(1)]));
    load([]);
  } catch (failure) {
    load(["notLoaded", failure.message]);
    if (!served) find("#main").append(make("p.card", { role: "alert" }, text(...loading)));
  }
}

window.addEventListener("hashchange", () => { show(); find("#main").focus(); });
chooser(find("#language"), () => { translate(); show(); });
translate();
start();
// What makes the page work without a network; some browsers have it on secure addresses alone.
navigator.serviceWorker?.register("service-worker.js").catch(() => {});
