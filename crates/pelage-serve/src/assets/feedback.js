// Asks what a picture really shows, where the server collects that.

import { make, say } from "./dom.js";
import { extend } from "./pictures.js";
import { insist, query } from "./server.js";
import { text } from "./text.js";

// More classes than these are chosen from a list.
const BUTTONS = 8;

function asked(one, served) {
  // What no model could read is no picture to learn from.
  if (!served.collects || ![...one.answers.values()].some((answer) => answer.classes)) return null;
  const [model] = served.models;
  const classes = [...model.classes, "neither"];
  const label = (name) => (name === "neither" ? text("neither") : name);
  const title = make("p.quiet", {}, text("feedback"));
  const told = one.kept ? make("p.quiet", {}, text("kept", label(one.kept))) : null;
  const failed = one.refused ? make("p.bad", {}, one.refused) : null;
  if (classes.length > BUTTONS) {
    const choice = make("select", { "aria-label": text("feedback"), onchange: () => keep(one, model, choice.value) },
      make("option", { value: "" }, "…"), ...classes.map((name) => make("option", { value: name }, label(name))));
    choice.value = one.kept ?? "";
    choice.dataset.key = "feedback";
    return make("div.below", {}, title, choice, told, failed);
  }
  const buttons = classes.map((name) => {
    const button = make("button", { "aria-pressed": String(one.kept === name), onclick: () => keep(one, model, name) }, label(name));
    button.dataset.key = `feedback-${name}`;
    return button;
  });
  return make("div.below", {}, title, make("p.buttons", { role: "group", "aria-label": text("feedback") }, ...buttons), told, failed);
}

async function keep(one, model, name) {
  if (!name) return;
  one.refused = null;
  try {
    await insist(query("/api/feedback", { model: model.name, class: name }), { method: "POST", body: one.file });
    one.kept = name;
    say(text("kept", name === "neither" ? text("neither") : name));
  } catch (failure) { one.refused = text("failed", failure.message); }
  one.draw();
}

extend({ below: asked });
