// What a model looks at, over the picture, and what its layers make of it.

import { make, say } from "./dom.js";
import { layers } from "./layers.js";
import { extend } from "./pictures.js";
import { picture, query } from "./server.js";
import { text } from "./text.js";

// By picture, then by model.
const heats = new WeakMap();
const of = (one) => heats.get(one) ?? heats.set(one, new Map()).get(one);

function looks(one, served, model) {
  const [name] = one.answers.get(model.name).classes[0];
  const shown = of(one).get(model.name);
  const toggle = make("button", { "aria-pressed": String(Boolean(shown?.on)), onclick: () => heat(one, model, name) }, text("heat"));
  toggle.dataset.key = `heat-${model.name}`;
  const buttons = make("p.buttons", {}, toggle,
    make("button", { onclick: () => layers(one, model) }, text("layers")));
  if (shown?.error) return make("div", {}, buttons, make("p.bad", {}, shown.error));
  if (!shown?.on) return buttons;
  const slide = make("input", { type: "range", min: 0, max: 100, value: shown.strength, "aria-label": text("strength"),
    oninput: () => { shown.strength = slide.value; shown.image.style.opacity = slide.value / 100; } });
  slide.dataset.key = `slide-${model.name}`;
  return make("div", {}, buttons, make("label.slider", {}, make("span.quiet", {}, text("strength")), slide));
}

// Shows or hides the parts that support a class; the map of one model at a time.
async function heat(one, model, name) {
  const before = of(one).get(model.name);
  const on = !before?.on;
  for (const other of of(one).values()) other.on = false;
  if (before?.image) {
    before.on = on;
    one.draw();
    return;
  }
  const shown = { strength: 60, on: true };
  of(one).set(model.name, shown);
  try {
    const image = make("img.heat", { alt: text("heatFor", name) });
    const path = query("/api/explain", { model: model.name, class: name, over: "none" });
    await picture(image, path, { method: "POST", body: one.file });
    place(image, one.size, model.preprocessing);
    image.style.opacity = shown.strength / 100;
    shown.image = image;
    say(text("heatFor", name));
  } catch (failure) { shown.error = failure.message; shown.on = false; }
  one.draw();
}

// Where a model that sees the middle of a picture looks, the map covers the middle.
function place(image, size, { fit, width, height }) {
  let [across, down] = [1, 1];
  if (fit === "crop" && size) {
    const scale = Math.min(size[0] / width, size[1] / height);
    [across, down] = [(width * scale) / size[0], (height * scale) / size[1]];
  }
  const percents = (part) => `${100 * part}%`;
  Object.assign(image.style, {
    width: percents(across), height: percents(down), left: percents((1 - across) / 2), top: percents((1 - down) / 2),
  });
}

extend({
  beside: looks,
  over: (one) => [...of(one).values()].find((shown) => shown.on)?.image,
  removed: (one) => {
    for (const { image } of of(one).values()) if (image?.src) URL.revokeObjectURL(image.src);
  },
});
