// A picture by the camera: in a dialog, or by the phone's own where a page may not use it.

import { find } from "./dom.js";
import { text } from "./text.js";

const dialog = find("#camera");
const video = find("video", dialog);
const refused = find("[role=alert]", dialog);
let stream = null;
let taken = () => {};
let stays = false;

// Opens the camera; `take` gets a file for each picture, one or as many as are taken before it is closed.
export async function opened(take, several = false) {
  [taken, stays] = [take, several];
  if (!navigator.mediaDevices) {
    // Pages from another machine without TLS.
    find("#capture").click();
    return;
  }
  refused.hidden = true;
  find("#shoot").disabled = true;
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    // Closed before it came.
    if (!dialog.open) return closed();
    video.srcObject = stream;
    await video.play();
    find("#shoot").disabled = false;
    find("#shoot").focus();
  } catch (failure) {
    refused.hidden = false;
    refused.textContent = text("noCamera", failure.message);
  }
}

function closed() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = video.srcObject = null;
}

dialog.addEventListener("close", closed);
find("#shoot").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  const name = `${text("photoName")}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.png`;
  canvas.toBlob((blob) => taken(new File([blob], name, { type: "image/png" })), "image/png");
  if (!stays) dialog.close();
});
