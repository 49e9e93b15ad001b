// The panel: what is drawn, and nothing of how messages travel.
import css from "./core.css";
import { Bubble } from "./bubble";
import { el, icon, sheet } from "./dom";
import type { Context } from "./types";
import { Tray, type Album } from "./pictures";
import type { Texts } from "./texts";

export interface Actions {
  send(text: string, pictures: string[]): void;
  stop(): void;
  fresh(): void;
  close(): void;
}

const LONGEST = 16_000; // characters, as the server has it
const NEAR = 80; // pixels from the end of the log that count as being there

export class View {
  readonly panel: HTMLElement;
  readonly log: HTMLElement;
  #input: HTMLTextAreaElement;
  #submit: HTMLButtonElement;
  #said: HTMLElement;
  #state: HTMLElement;
  #notice: HTMLElement;
  #dots: HTMLElement;
  #attach: HTMLElement;
  #tray: Tray;
  #answering = false;
  #locale: string;

  constructor(private context: Context, private texts: Texts, private actions: Actions, album: Album) {
    const { config, root } = context;
    const device = navigator.language; // en-GB writes times in another way than en
    this.#locale = device.startsWith(context.language) ? device : context.language;
    this.log = el("div", { className: "log", role: "log", "aria-live": "off", "aria-label": texts.messages, tabIndex: 0 });
    this.#said = el("div", { className: "sr", role: "status", "aria-live": "polite" });
    this.#state = el("small", { className: "state" }, texts.online);
    this.#notice = el("p", { className: "notice", hidden: true });
    this.#dots = el("div", { className: "msg assistant dots", "aria-hidden": "true" }, el("div", { className: "text" }, el("i"), el("i"), el("i")));
    this.#input = el("textarea", {
      rows: 1, maxLength: LONGEST, placeholder: texts.placeholder, "aria-label": texts.message, enterkeyhint: "send",
      oninput: () => this.#resize(), onkeydown: (event: KeyboardEvent) => this.#typed(event),
    });
    this.#submit = el("button", { className: "go", type: "submit" },
      icon("M12 19V5", "M5.5 11.5L12 5l6.5 6.5"), icon("M7 7h10v10H7z"));
    this.#tray = new Tray(album, texts, {
      changed: (change) => {
        this.keep(change);
        this.#showAction();
      },
      problem: (why) => this.tell(why),
    });
    const tool = (name: string, act: () => void, ...paths: string[]) =>
      el("button", { className: "tool", type: "button", "aria-label": name, title: name, onclick: act }, icon(...paths));
    const head = el("header", {},
      el("span", { className: "avatar", "aria-hidden": "true" }, [...config.title][0]?.toUpperCase() ?? "B"),
      el("div", { className: "who" }, el("b", { id: "title" }, config.title), this.#state),
      tool(texts.fresh, actions.fresh, "M12 20H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2h7", "M18.4 3.6a2 2 0 0 1 2.9 2.9L13 14.8 9 16l1.2-4z"),
      tool(texts.close, actions.close, "M6 6l12 12M18 6L6 18"));
    const picker = el("input", {
      type: "file", accept: "image/*", multiple: "", hidden: true, onchange: () => {
        this.#tray.add([...(picker.files ?? [])]);
        picker.value = "";
        this.focus();
      },
    });
    this.#attach = tool(texts.attach, () => picker.click(), "M4 16l4.5-4.500a2 2 0 0 1 2.8 0L16 16", "M14 14l1.5-1.500a2 2 0 0 1 2.8 0L20 14.2",
      "M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z", "M15.5 8.500h.01");
    this.#attach.hidden = true;
    const form = el("form", { onsubmit: (event: Event) => this.#submitted(event) },
      this.#tray.node, picker, el("div", { className: "field" }, this.#attach, this.#input, this.#submit), el("p", { className: "made" }, texts.made));
    this.panel = el("section", { className: "panel", role: "dialog", "aria-modal": "false", "aria-labelledby": "title", hidden: true },
      head, this.log, this.#said, this.#notice, form);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.#colours(), sheet(css)];
    root.prepend(this.panel);
    context.button.append(icon("M6 9.5l6 6 6-6"));
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && actions.close());
    for (const kind of ["keydown", "keyup", "keypress"]) {
      root.addEventListener(kind, (event) => event.stopPropagation()); // the page's shortcuts are not for our field
    }
    this.#takeFiles();
    this.#followTheme();
    this.#fitKeyboard();
    this.#showAction();
  }

  show(open: boolean, focus: boolean): void {
    this.panel.hidden = !open;
    this.context.button.setAttribute("aria-expanded", String(open));
    this.context.host.toggleAttribute("data-open", open);
    if (open) this.#scroll(true);
    if (open && focus) this.#input.focus({ preventScroll: true });
    if (!open && focus) this.context.button.focus({ preventScroll: true });
  }

  bubble(role: "user" | "assistant", at: number): Bubble {
    const made = new Bubble(role, this.texts, at, this.#locale);
    const stick = this.#atEnd();
    if (this.#dots.isConnected && role === "assistant") this.#dots.before(made.node);
    else this.log.append(made.node);
    if (this.#dots.isConnected) this.log.append(this.#dots);
    if (stick || role === "user") this.#scroll(true);
    return made;
  }

  /** Change the log, and stay at its end if it was there. */
  keep(change: () => void): void {
    const stick = this.#atEnd();
    change();
    if (stick) this.#scroll(true);
  }

  clear(): void {
    this.log.replaceChildren();
  }

  /** An answer is under way; dots are shown until its first words. */
  busy(answering: boolean, dots: boolean): void {
    if (answering && !this.#answering) this.announce(this.texts.answering);
    this.#answering = answering;
    this.keep(() => (dots ? this.log.append(this.#dots) : this.#dots.remove()));
    this.status(true);
    this.#showAction();
  }

  status(connected: boolean): void {
    this.#state.textContent = connected ? (this.#answering ? this.texts.answering : this.texts.online) : this.texts.connecting;
    this.#state.dataset.off = connected ? "" : "1";
  }

  announce(text: string): void {
    this.#said.textContent = text.slice(0, 3000);
  }

  tell(problem: string): void {
    this.#notice.hidden = !problem;
    this.#notice.textContent = problem;
    if (problem) this.announce(problem);
  }

  /** Whether the answering route can look at pictures. */
  seeing(yes: boolean): void {
    this.#attach.hidden = !yes;
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  #atEnd(): boolean {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
  }

  #scroll(now: boolean): void {
    if (now) this.log.scrollTop = this.log.scrollHeight;
  }

  #submitted(event: Event): void {
    event.preventDefault();
    const text = this.#input.value.trim();
    if (!this.#tray.ready) return;
    if (text || this.#tray.size) {
      this.#input.value = "";
      this.#resize();
      this.actions.send(text, this.#tray.take());
    } else if (this.#answering) this.actions.stop();
  }

  #typed(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (this.#input.value.trim() || this.#tray.size) this.#submitted(event);
    else event.preventDefault();
  }

  /** Pictures that are pasted or dropped. */
  #takeFiles(): void {
    const take = (event: Event, data: DataTransfer | null) => {
      if (this.#attach.hidden || !data?.files.length) return;
      event.preventDefault();
      this.#tray.add([...data.files]);
    };
    this.#input.addEventListener("paste", (event) => take(event, event.clipboardData));
    this.panel.addEventListener("drop", (event) => take(event, event.dataTransfer));
    this.panel.addEventListener("dragover", (event) => {
      if (!this.#attach.hidden && event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
  }

  #resize(): void {
    this.#input.style.height = "auto";
    this.#input.style.height = `${Math.min(this.#input.scrollHeight, 132)}px`;
    this.#showAction();
  }

  #showAction(): void {
    const something = this.#input.value.trim() !== "" || this.#tray.size > 0;
    const stop = this.#answering && !something;
    this.#submit.classList.toggle("stop", stop);
    this.#submit.disabled = !stop && !(something && this.#tray.ready);
    this.#submit.setAttribute("aria-label", stop ? this.texts.stop : this.texts.send);
    this.#submit.title = stop ? this.texts.stop : this.texts.send;
  }

  #colours(): CSSStyleSheet {
    const { light, dark, ink } = this.context.config.accent;
    const shade = ink === "#ffffff" ? "#0000002b" : "#ffffff40"; // away from the ink: it stays readable
    return sheet(`.panel{--accent:${light};--shade:${shade}}:host([data-dark]) .panel{--accent:${dark}}`);
  }

  #followTheme(): void {
    const { host } = this.context;
    const device = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => host.toggleAttribute("data-dark", host.dataset.theme ? host.dataset.theme === "dark" : device.matches);
    device.addEventListener("change", apply);
    new MutationObserver(apply).observe(host, { attributeFilter: ["data-theme"] });
    apply();
  }

  #fitKeyboard(): void {
    const seen = window.visualViewport;
    seen?.addEventListener("resize", () => {
      this.panel.style.setProperty("--seen", `${seen.height}px`); // a phone's keyboard covers the rest
      this.keep(() => undefined);
    });
  }
}
