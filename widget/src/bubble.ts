// One message in the log.
import { el } from "./dom";
import type { Job } from "./made";
import { writer, type Writer } from "./markdown";
import type { Texts } from "./texts";

const TIMELESS = new Set(["greeting", "streaming"]);

export class Bubble {
  readonly node: HTMLElement;
  text = "";
  status = "";
  private body: HTMLElement;
  private foot: HTMLElement;
  private writer?: Writer;
  job?: Job;

  constructor(readonly role: "user" | "assistant", private texts: Texts, readonly at: number, private locale: string) {
    this.body = el("div", { className: "text", dir: "auto" });
    this.foot = el("div", { className: "foot" });
    const who = el("span", { className: "sr" }, role === "user" ? texts.you + ": " : "");
    this.node = el("article", { className: `msg ${role}` }, who, this.body, this.foot);
    this.mark("");
  }

  /** More of a streamed answer. */
  append(more: string): void {
    this.writer ??= writer(this.body, this.texts);
    this.text += more;
    this.writer.write(more);
  }

  /** Another text in place of what was shown. */
  replace(text: string): void {
    this.writer = undefined;
    this.text = "";
    this.body.replaceChildren();
    if (text) this.append(text);
  }

  /** The whole text, now that it is known; what is shown already stays as it is. */
  finish(text: string): void {
    if (this.role === "user") {
      this.text = this.body.textContent = text;
      return;
    }
    if (text.startsWith(this.text)) this.append(text.slice(this.text.length));
    else if (text !== this.text.trim()) this.replace(text);
    this.writer?.end();
    this.writer = undefined;
    this.text = text;
  }

  /** How the model thought, folded, before what it said. */
  think(thoughts?: string): void {
    if (!thoughts || this.node.querySelector(".think")) return;
    this.body.before(el("details", { className: "think" }, el("summary", {}, this.texts.thoughts), el("div", { dir: "auto" }, thoughts)));
  }

  /** Pictures above the words. */
  picture(row: HTMLElement): void {
    this.node.querySelector(".pics")?.remove();
    this.body.before(row);
  }

  /** How far the work is; without a job, that there is none any more. */
  work(job?: Job): void {
    this.node.querySelector(".job")?.remove();
    this.job = job;
    if (job) this.body.after(job.node);
  }

  /** Things to say with one press. */
  offer(choices: [string, string][], say: (words: string) => void): void {
    this.node.querySelector(".offers")?.remove();
    const row = el("div", { className: "offers" });
    for (const [label, words] of choices) {
      row.append(el("button", { type: "button", onclick: () => (row.remove(), say(words)) }, label));
    }
    this.body.after(row);
  }

  /** What the line under the bubble says, with an action. */
  mark(status: string, note = "", action?: [string, () => void]): void {
    this.status = status;
    this.node.dataset.status = status;
    const time = new Date(this.at * 1000);
    const parts: (Node | string)[] = [];
    if (note) parts.push(el("span", { className: "note" }, note));
    if (action) parts.push(el("button", { type: "button", className: "again", onclick: action[1] }, action[0]));
    if (!note && !TIMELESS.has(status)) {
      const shown = time.toLocaleTimeString(this.locale, { hour: "2-digit", minute: "2-digit" });
      parts.push(el("time", { datetime: time.toISOString(), title: time.toLocaleString(this.locale) }, shown));
    }
    this.foot.replaceChildren(...parts);
  }
}
