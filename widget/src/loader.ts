// The launcher: drawn from one small cached JSON; the chat itself is fetched on hover, click or idle.
import css from "./loader.css";
import { icon, sheet } from "./dom";
import type { Chat, Config, Context } from "./types";

const PATIENCE = 5; // tries to get the configuration while the server cannot be reached

function start(script: HTMLScriptElement, folder: string, slug: string): void {
  const base = folder + slug;
  const once = Symbol.for("botyard:" + base);
  const page = window as unknown as Record<symbol, boolean>;
  if (page[once]) return;
  page[once] = true;
  const language = (script.dataset.lang || navigator.language).slice(0, 2).toLowerCase();

  async function configure(attempt: number): Promise<void> {
    let why = "cannot be reached, or does not list " + location.origin + " among the widget's websites";
    try {
      const answer = await fetch(base + "/config", { credentials: "omit" });
      if (answer.ok) return draw(await answer.json());
      if (answer.status < 500) {
        attempt = PATIENCE;
        why = String(((await answer.json()).error || {}).message);
      }
    } catch { /* said below, once the tries are used up */ }
    if (attempt < PATIENCE) setTimeout(configure, 3000 * attempt, attempt + 1);
    else console.warn("Botyard: " + base + ": " + why);
  }

  function draw(config: Config): void {
    const host = document.createElement("botyard-chat");
    const root = host.attachShadow({ mode: "open" });
    if (script.dataset.theme) host.dataset.theme = script.dataset.theme;
    const { fill, ink } = config.accent;
    root.adoptedStyleSheets = [sheet(css + `:host{--fill:${fill};--ink:${ink}}`)];
    let chat: Promise<Chat> | undefined;
    let tries = 0;
    const load = () =>
      (chat ??= import(new URL(config.core + (tries ? "?" + tries : ""), folder).href).then(
        (core) => core.mount({ base, config, host, root, button, language } satisfies Context),
        (error) => {
          tries++;
          chat = undefined;
          throw error;
        },
      ));
    const show = async (focus: boolean) => {
      button.setAttribute("aria-busy", "true");
      try {
        (await load()).toggle(focus);
      } catch (error) {
        console.warn("Botyard:", error);
      }
      button.removeAttribute("aria-busy");
    };
    const early = () => void load().catch(() => 0);
    const button = Object.assign(document.createElement("button"), {
      className: "launcher", type: "button", ariaHasPopup: "dialog", ariaExpanded: "false",
      ariaLabel: (language === "ru" ? "Чат: " : "Chat: ") + config.title,
      onclick: () => show(true), onpointerenter: early, onfocus: early,
    });
    button.append(icon("M21 11.5a8.4 8.4 0 0 1-12 7.6L3.5 21l1.7-5A8.4 8.4 0 1 1 21 11.5zM9 11.5h.01M13 11.5h.01M17 11.5h.01"));
    root.append(button);
    host.addEventListener("botyard-ask", (event) => load().then((core) => core.ask(String((event as CustomEvent).detail))));
    document.documentElement.append(host);
    let open = false;
    try {
      open = innerWidth >= 480 && !!sessionStorage.getItem("botyard:" + base + ":open");
    } catch { /* no storage: starts closed */ }
    if (open) void show(false);
    else (window.requestIdleCallback ?? setTimeout)(early, { timeout: 4000 } as never);
  }

  void configure(1);
}

const script = (document.currentScript || document.querySelector('script[src*="/w/"][src$=".js"]')) as HTMLScriptElement | null;
const found = script && /^(.*\/w\/)([a-z0-9_-]{1,32})\.js/.exec(script.src);
if (script && found) start(script, found[1]!, found[2]!);
