// The outputs of a model's layers for a picture, one layer after the other.

import { find, make, say } from "./dom.js";
import { picture, query } from "./server.js";

const dialog = find("#layers");
const choice = find("#layer");
let shown = null;
let latest = 0;

export function layers(one, model) {
  shown = { one, model };
  const name = choice.value;
  choice.replaceChildren(...model.layers.map((layer) => make("option", {}, layer)));
  choice.value = model.layers.includes(name) ? name : model.layers[0];
  dialog.showModal();
  draw();
}

async function draw() {
  const asked = ++latest;
  const at = choice.selectedIndex;
  find("#layer-before").disabled = at <= 0;
  find("#layer-next").disabled = at + 1 >= choice.length;
  const [image, refused] = [find("img", dialog), find("[role=alert]", dialog)];
  refused.hidden = true;
  try {
    const path = query("/api/maps", { model: shown.model.name, layer: choice.value });
    const fresh = await picture(make("img", { alt: `${choice.value}: ${shown.one.name}` }), path, { method: "POST", body: shown.one.file });
    // Another layer may have been asked for since.
    if (asked !== latest) return;
    image.replaceWith(fresh);
    say(choice.value);
  } catch (failure) {
    refused.hidden = false;
    refused.textContent = failure.message;
  }
}

choice.addEventListener("change", draw);
for (const [button, step] of [["#layer-before", -1], ["#layer-next", 1]])
  find(button).addEventListener("click", () => {
    choice.selectedIndex += step;
    draw();
  });
