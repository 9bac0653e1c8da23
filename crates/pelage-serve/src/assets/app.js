// Which view is shown, and what the server has to offer.

import { find, make } from "./dom.js";
import { ask, enter, insist, picture, query } from "./server.js";
import { chooser, text, translate } from "./text.js";
import * as docs from "./docs.js";
import * as model from "./model.js";
import * as pictures from "./pictures.js";
import * as runs from "./runs.js";
import * as searches from "./searches.js";
import * as teach from "./teach.js";
import * as views from "./views.js";
import "./looks.js";
import "./feedback.js";

const offered = { try: pictures, model, runs, searches, teach, api: docs };
let served = null;

function show() { if (served) views.show(offered, served); }

async function predict(model, file, busy) {
  const answer = await insist(query("/api/predict", { model: model.name }), { method: "POST", body: file }, busy);
  return (await answer.json()).predictions[0];
}

const drawing = (model, image) => picture(image, query("/api/architecture", { model: model.name }));

async function start() {
  try {
    served = { ...await (await ask("/api/models")).json(), predict, drawing };
    find("#token").hidden = true;
    show();
  } catch (failure) {
    if (failure.status === 401) {
      find("#token [role=alert]").hidden = find("#token").hidden;
      find("#token").hidden = false;
      find("#token input").focus();
    } else find("#main").append(make("p.card", { role: "alert" }, text("failed", failure.message)));
  }
}

find("#token").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(find("#token input").value);
  start();
});
window.addEventListener("hashchange", () => { show(); find("#main").focus(); });
chooser(find("#language"), () => { translate(); show(); });
translate();
start();
