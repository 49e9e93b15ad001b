// What the bot made: pictures on canvases and videos, and how far they are while they are made.
import type { Api } from "./api";
import { el, icon } from "./dom";
import { drawn } from "./pictures";
import type { Texts } from "./texts";
import type { Made } from "./types";

const SHOWN_SIDE = 960;

/** The progress of one job, in the bubble of its answer. */
export class Job {
  readonly node: HTMLElement;
  private canvas = el("canvas", { hidden: true, "aria-hidden": "true" });
  private bar: HTMLProgressElement;
  private line = el("span", { className: "note" });

  constructor(texts: Texts, cancel: () => void) {
    this.bar = el("progress", { "aria-label": texts.progress, max: "1" });
    const stop = el("button", { type: "button", className: "again", onclick: () => (stop.disabled = true, cancel()) }, texts.cancel);
    this.node = el("div", { className: "job" }, this.canvas, this.bar, el("div", {}, this.line, stop));
  }

  show(line: string, fraction?: number, preview?: string): void {
    this.line.textContent = line.replace(/[▰▱]+ ?/g, "");
    if (fraction === undefined) this.bar.removeAttribute("value");
    else this.bar.value = fraction;
    if (!preview) return;
    const bytes = Uint8Array.from(atob(preview), (one) => one.charCodeAt(0));
    drawn(new Blob([bytes]), 240, this.canvas).then(() => (this.canvas.hidden = false)).catch(() => undefined);
  }
}

/** Everything that one answer brought. */
export function gallery(made: Made[], api: Api, texts: Texts, keep: (change: () => void) => void): HTMLElement {
  const load = async (frame: HTMLElement, { id, kind }: Made) => {
    const blob = await (await api.call(`media/${id}`)).blob();
    const href = URL.createObjectURL(blob);
    const link = (label: Node | string, className = "") =>
      el("a", { href, download: `${id.slice(0, 8)}.${blob.type.split("/")[1]}`, "aria-label": texts.save, className }, label);
    const save = link(icon("M12 4v11m0 0 5-5m-5 5-5-5M5 20h14"));
    let shown: HTMLElement;
    if (kind === "video") {
      shown = el("video", { src: href, controls: "", playsinline: "", loop: "", "aria-label": texts.video });
      shown.onerror = () => frame.replaceChildren(link(`${texts.video}: ${texts.save}`, "gone"));
    } else shown = await drawn(blob, SHOWN_SIDE, el("canvas", { role: "img", "aria-label": texts.image }));
    keep(() => frame.replaceChildren(shown, save));
  };
  return el("div", { className: "pics made" }, ...made.map((one) => {
    const frame = el("figure", {}, el("canvas", { width: 320, height: 240 }));
    load(frame, one).catch(() => frame.replaceChildren(el("span", { className: "gone" }, texts.gone)));
    return frame;
  }));
}
