// Which view is shown, and what the server has to offer.

import { ask, enter, find, make } from "./dom.js";
import { chooser, text, translate } from "./text.js";
import * as docs from "./docs.js";
import * as model from "./model.js";
import * as pictures from "./pictures.js";
import * as runs from "./runs.js";
import * as teach from "./teach.js";
import "./feedback.js";

const views = { try: pictures, model, runs, teach, api: docs };
let served = null;

function show() {
  if (!served) return;
  const [name, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  const offered = Object.keys(views).filter((view) => views[view].offered?.(served) ?? true);
  const view = offered.includes(name) ? name : offered[0];
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const of = link.getAttribute("href").slice(1);
    link.hidden = !offered.includes(of);
    if (of === view) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${find(`nav a[href="#${view}"]`).textContent} – pelage`;
  for (const [other, shown] of Object.entries(views)) if (other !== view) shown.leave?.();
  views[view].show(served, rest.join("/"));
}

async function start() {
  try {
    served = await (await ask("/api/models")).json();
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
