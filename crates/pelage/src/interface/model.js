// What is known about each model.

import { find, make, pairs } from "./dom.js";
import { curves } from "./charts.js";
import { count, date, percent, text } from "./text.js";

export const offered = (server) => server.models.length > 0;

// `drawing` fills an image with the drawing of a model's network.
export function show({ models, drawing }) {
  find("#cards").classList.toggle("two", models.length > 1);
  find("#cards").replaceChildren(...models.map((model) => card(model, drawing)));
}

function card(model, drawing) {
  const { width, height, fit, filter, mean, std } = model.preprocessing;
  const numbers = (list) => list.map((value) => +value.toFixed(4)).join(", ");
  const accuracy = model.accuracy && text("interval", percent(model.accuracy[0], 2), ...model.accuracy[1].map((end) => percent(end, 2)));
  return make("article.card", {},
    make("h2", {}, model.name),
    pairs([
      [text("network"), model.architecture],
      [text("classes"), model.classes.length > 20 ? `${count(model.classes.length)}: ${model.classes.slice(0, 20).join(", ")} …` : model.classes.join(", ")],
      [text("accuracy"), accuracy],
      [text("flattered"), model.near_copies?.found ? text("flatteredValue", count(model.near_copies.found), count(model.near_copies.of)) : null],
      [text("loss"), model.loss?.toFixed(4)],
      [text("trainedOn"), model.train_images ? text("trainedOnValue", count(model.train_images), count(model.validation_images)) : null],
      [text("data"), model.data],
      [text("written"), model.written && date(model.written)],
      [text("epoch"), model.epoch || null],
      [text("calibrated"), model.temperature ? text("temperature", model.temperature.toFixed(3)) : text("no")],
      [text("input"), text(fit, width, height)],
      [text("filter"), filter],
      [text("mean"), `${numbers(mean)}; ${numbers(std)}`],
      [text("parameters"), count(model.parameters)],
      [text("multiplyAdds"), count(model.multiply_adds)],
    ]),
    model.history.length ? make("h3", {}, text("curves")) : null,
    model.history.length ? curves(model.history) : null,
    drawn(model, drawing));
}

// Drawn when it is looked at.
function drawn(model, drawing) {
  const place = make("div.scroll.white", { tabIndex: 0, role: "group", "aria-label": text("architecture") });
  const details = make("details", {}, make("summary", {}, text("architecture")), place);
  details.addEventListener("toggle", async () => {
    if (!details.open || place.firstChild) return;
    const image = make("img", { alt: `${text("architecture")}: ${model.architecture}` });
    place.append(image);
    try { await drawing(model, image); }
    catch (failure) { place.replaceChildren(make("p.bad", {}, failure.message)); }
  });
  return details;
}
