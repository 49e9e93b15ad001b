// What happens on the server, as events: one stream for all tabs of a visitor, resumed where it broke.
import { createParser } from "eventsource-parser";
import { Refused, type Api } from "./api";
import { alone } from "./store";
import type { Happened } from "./types";

const SILENCE = 40_000; // the server sends a heartbeat each 15 s: this long without one means dead
const FIRST_WAIT = 250;
const LONGEST_WAIT = 20_000;

interface Listener {
  event(happened: Happened): void;
  connected(yes: boolean): void;
  refused(why: string): void;
}

function later(one: string, other: string): boolean {
  const [a = 0, b = 0] = one.split(".").map(Number);
  const [c = 0, d = 0] = other.split(".").map(Number);
  return a > c || (a === c && b > d);
}

export class Feed {
  private last = "";
  private closing?: AbortController;
  private channel?: BroadcastChannel;
  private heard = 0;
  private leading = false;
  private held: Happened[] | null = [];

  constructor(private api: Api, private name: string, private on: Listener) {}

  /** Listen to the other tabs; events are held back until `start` says what is known already. */
  listen(): void {
    this.held = [];
    this.closing = new AbortController();
    if (!navigator.locks || !window.BroadcastChannel) return;
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => {
      this.heard = Date.now();
      if (!this.leading) this.on.connected(true);
      if (data) this.take(data as Happened);
    };
  }

  start(after: string): void {
    const signal = this.closing?.signal;
    if (!signal || signal.aborted) return;
    this.last = after;
    const held = this.held ?? [];
    this.held = null;
    for (const happened of held) this.take(happened);
    if (!this.channel) return void this.run(signal);
    const lead = async () => {
      if (this.leading) return;
      this.leading = true;
      await this.run(signal);
    };
    alone(this.name, lead, signal).catch(() => 0); // aborted while waiting: the panel was closed
    this.heard = Date.now();
    setTimeout(() => !this.leading && !signal.aborted && this.on.connected(true), 500); // another tab leads
    const watch = setInterval(() => {
      if (!this.leading && Date.now() - this.heard > SILENCE + 5000) void lead(); // a frozen leader
    }, 5000);
    signal.addEventListener("abort", () => clearInterval(watch));
  }

  /** Start anew after `after`, which newly read history begins with. */
  skip(after: string): void {
    if (later(after, this.last)) this.last = after;
  }

  close(): void {
    this.closing?.abort();
    this.channel?.close();
    this.channel = undefined;
    this.leading = false;
  }

  private take(happened: Happened): void {
    if (this.held) return void this.held.push(happened);
    if (happened.id) {
      if (!later(happened.id, this.last)) return;
      this.last = happened.id;
    }
    this.on.event(happened);
  }

  private async run(signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT;
    while (!signal.aborted) {
      try {
        await this.connect(signal, () => (wait = FIRST_WAIT));
      } catch (error) {
        if (error instanceof Refused) {
          wait = Math.max(wait, error.after * 1000);
          if (!error.passing) {
            this.on.refused(error.message);
            wait = 60_000;
          }
        }
      }
      if (signal.aborted) return;
      this.on.connected(false);
      await this.pause(wait * (1 + Math.random() * 0.3), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  private async connect(signal: AbortSignal, alive: () => void): Promise<void> {
    const connection = new AbortController();
    const end = () => connection.abort();
    let silence = setTimeout(end, SILENCE);
    signal.addEventListener("abort", end, connection);
    const parser = createParser({
      onEvent: ({ id = "", event = "message", data }) => {
        const happened = { id, event, data: JSON.parse(data) };
        this.channel?.postMessage(happened);
        this.take(happened);
      },
      onComment: () => this.channel?.postMessage(null),
    });
    try {
      const headers: Record<string, string> = this.last ? { "last-event-id": this.last } : {};
      const answer = await this.api.call("events", { signal: connection.signal }, headers);
      this.on.connected(true);
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE);
        parser.feed(value);
      }
    } finally {
      clearTimeout(silence);
      connection.abort();
    }
  }

  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = new AbortController();
      const go = () => {
        over.abort();
        resolve();
      };
      setTimeout(go, ms);
      for (const [target, what] of [[window, "online"], [document, "visibilitychange"], [signal, "abort"]] as const) {
        target.addEventListener(what, go, over);
      }
    });
  }
}
