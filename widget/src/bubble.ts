// One message in the log.
import { el } from "./dom";
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
