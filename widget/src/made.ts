// What the bot made: pictures on canvases and videos, and how far they are while they are made.
import type { Api } from "./api";
import { el, icon } from "./dom";
import { drawn } from "./pictures";
import type { Texts } from "./texts";
import type { Made } from "./types";

const SHOWN_SIDE = 960;
const SAID_EVERY = 10_000; // ms between two words on progress to people who hear it

/** The progress of one job, in the bubble of its answer. */
export class Job {
  readonly node: HTMLElement;
  private canvas = el("canvas", { hidden: true, "aria-hidden": "true" });
  private bar: HTMLProgressElement;
  private line = el("span", { className: "note" });
  private quarter = 0;
  private said = Date.now();

  constructor(texts: Texts, cancel: () => void) {
    this.bar = el("progress", { "aria-label": texts.progress, max: "1" });
    const stop = el("button", { type: "button", className: "again", onclick: () => (stop.disabled = true, cancel()) }, texts.cancel);
    this.node = el("div", { className: "job" }, this.canvas, this.bar, el("div", {}, this.line, stop));
  }

  /** Show how far it is; what is to be said of it aloud, now and then. */
  show(line: string, fraction = -1, preview?: string): string {
    line = this.line.textContent = line.replace(/[▰▱]+ ?/g, "");
    if (fraction < 0) this.bar.removeAttribute("value");
    else this.bar.value = fraction;
    if (preview) this.picture(preview);
    const quarter = Math.floor(fraction * 4);
    if (quarter <= this.quarter || Date.now() - this.said < SAID_EVERY) return "";
    this.quarter = quarter;
    this.said = Date.now();
    return line;
  }

  private picture(preview: string): void {
    const bytes = Uint8Array.from(atob(preview), (one) => one.charCodeAt(0));
    drawn(new Blob([bytes]), 240, this.canvas).then(() => (this.canvas.hidden = false)).catch(() => undefined);
  }
}

/** Everything that one answer brought. */
export function gallery(made: Made[], api: Api, texts: Texts, keep: (change: () => void) => void): HTMLElement {
  const load = async (frame: HTMLElement, { id, kind }: Made) => {
    let href: string, shown: HTMLElement, download = id.slice(0, 8);
    if (kind === "video") {
      const { path } = await (await api.call(`links/${id}`)).json();
      const src = new URL(path, api.base).href; // played from there: a page's policy may forbid blob:
      shown = el("video", { src, controls: "", playsinline: "", loop: "", "aria-label": texts.video });
      shown.onerror = () => frame.replaceChildren(el("a", { href: src, target: "_blank", rel: "noopener", className: "gone" }, `${texts.video} ↗`));
      href = src + "&download=1";
    } else {
      const blob = await (await api.call(`media/${id}`)).blob();
      href = URL.createObjectURL(blob);
      download += "." + blob.type.split("/")[1];
      shown = await drawn(blob, SHOWN_SIDE, el("canvas", { role: "img", "aria-label": texts.image }));
    }
    const save = el("a", { href, download, "aria-label": texts.save }, icon("M12 4v11m0 0 5-5m-5 5-5-5M5 20h14"));
    keep(() => frame.replaceChildren(shown, save));
  };
  return el("div", { className: "pics made" }, ...made.map((one) => {
    const frame = el("figure", {}, el("canvas", { width: 320, height: 240 }));
    load(frame, one).catch(() => frame.replaceChildren(el("span", { className: "gone" }, texts.gone)));
    return frame;
  }));
}
