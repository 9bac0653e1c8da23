// Which of the views is shown: the one that the address names, or the first.

import { find } from "./dom.js";

// `views` by their names, each with `show` and perhaps `leave` and `offered`; `served` is what is handed to them.
export function show(views, served) {
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
