// Searches for settings, growing as they are watched.

import { find, make, pairs } from "./dom.js";
import { ask, query, watch } from "./server.js";
import { count, date, text, translate } from "./text.js";

const searches = new Map();
let chosen = "";
let watching = null;
// Which search is drawn, whether it is being drawn, and whether it has changed meanwhile.
let drawn = null;
let drawing = false;
let again = false;

export const offered = (server) => server.searches;

export function show(_server, name) {
  chosen = name;
  list();
  part();
  watching ??= watch("/api/searches/events", (changed) => {
    for (const search of changed) searches.set(search.name, search);
    list();
    if (changed.some((search) => search.name === chosen)) part();
  }, () => find("#search-list").prepend(make("p.note", { role: "status" }, text("lost"))));
}

export function leave() {
  watching?.();
  watching = null;
}

function list() {
  const all = [...searches.values()].sort((a, b) => b.updated - a.updated);
  const search = searches.get(chosen);
  find("#search-list").replaceChildren(...(search ? one(search) : all.length ? all.map(entry) : [make("p.card", {}, text("noSearches"))]));
}

// The trials and figures, where somebody has scrolled to.
async function part() {
  const place = find("#search-part");
  if (drawn !== chosen) place.replaceChildren();
  drawn = chosen;
  if (!searches.has(chosen)) return;
  again = drawing;
  if (drawing) return;
  drawing = true;
  const name = chosen;
  try {
    const html = await (await ask(query("/api/searches/part", { search: name }))).text();
    if (name === chosen) {
      const scrolled = [...place.querySelectorAll(".wide")].map((wide) => wide.scrollLeft);
      place.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
      translate(place);
      for (const [i, wide] of place.querySelectorAll(".wide").entries()) {
        wide.tabIndex = 0;
        wide.scrollLeft = scrolled[i] ?? 0;
      }
    }
  } catch { /* With the next change it is asked for again. */ }
  drawing = false;
  if (again) part();
}

const number = (search) => Object.values(search.trials).reduce((sum, one) => sum + one, 0);

const best = (search) => search.best && text("bestTrial", search.best.trial, text(search.metric), search.best.value.toPrecision(4), search.best.epochs);

const states = (search) => Object.entries(search.trials).filter(([, many]) => many)
  .map(([state, many]) => text("trialsThat", count(many), text(`trial-${state}`))).join(", ");

function progress(search) {
  if (search.state !== "running" || !search.most) return null;
  return make("progress", { max: search.most, value: number(search), "aria-label": text("trialsOf", number(search), search.most) });
}

function entry(search) {
  return make("article.card", {},
    make("h2", {}, make("a", { href: `#searches/${encodeURIComponent(search.name)}` }, search.name)),
    progress(search),
    make("p", {}, [text(search.state), states(search)].filter(Boolean).join(" · ")),
    make("p.quiet", {}, [search.data, best(search), date(search.updated)].filter(Boolean).join(" · ")));
}

function one(search) {
  return [
    make("p", {}, make("a", { href: "#searches" }, text("allSearches"))),
    make("article.card", {},
      make("h2", {}, search.name),
      progress(search),
      pairs([
        [text("state"), text(search.state)],
        [text("trials"), states(search)],
        [text("bestSoFar"), best(search)],
        [text("data"), search.data],
        [text("updated"), date(search.updated)],
      ])),
  ];
}
