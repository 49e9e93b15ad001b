// The chat: joins what is drawn, what is sent and what the server says.
import { Api, Refused } from "./api";
import type { Bubble } from "./bubble";
import { Feed } from "./feed";
import { gallery, Job } from "./made";
import { Album } from "./pictures";
import { Queue } from "./queue";
import { Store, uuid } from "./store";
import { textsOf } from "./texts";
import type { Chat, Context, Happened, Letter, Made, Pending, Said } from "./types";
import { View } from "./view";

interface History {
  messages: Said[];
  pending: Pending[];
  live: { msg: string; text: string } | null;
  after: string;
  sees?: boolean;
}

const RETRY = "/retry";
const BUTTONS = /^\/(retry|cancel|again|variations|upscale|animate)\b/;

/** What a press of a button says is no message that people see. */
const hidden = (text: string): boolean => BUTTONS.test(text);

class Conversation implements Chat {
  private texts;
  private store: Store;
  private api: Api;
  private queue: Queue;
  private view: View;
  private album: Album;
  private feed?: Feed;
  private bubbles = new Map<string, Bubble>(); // by message id, and by key while it is not known
  private pending = new Set<string>(); // ids of answers that are to come
  private open = false;

  constructor(private context: Context) {
    this.texts = textsOf(context.language);
    this.store = new Store("botyard:" + context.base);
    this.api = new Api(context.base, this.store, context.language);
    this.queue = new Queue(this.api, this.store, {
      sent: (letter, answer, id) => this.sent(letter, answer, id),
      refused: (letter, why) => this.refused(letter, why),
      waiting: () => this.waiting(),
    });
    this.album = new Album(this.api, this.texts);
    this.view = new View(context, this.texts, {
      send: (text, pictures) => this.send(text, pictures),
      stop: () => void this.stop(),
      fresh: () => this.fresh(),
      close: () => this.toggle(),
    }, this.album);
    this.queue.flush();
  }

  toggle(focus = true): void {
    this.open = !this.open;
    this.store.stay(this.open);
    this.view.show(this.open, focus);
    if (this.open) void this.connect();
    else {
      this.feed?.close();
      this.feed = undefined;
    }
  }

  /** Open the panel, and say something in the visitor's name ("" only opens). */
  ask(question: string): void {
    if (!this.open) this.toggle();
    if (question) this.send(question);
  }

  private async connect(): Promise<void> {
    this.greet();
    this.view.tell(""); // not later: by then the visitor may have done something that needs a word
    this.view.status(false);
    for (let wait = 500; this.open && !this.feed; wait = Math.min(wait * 2, 10_000)) {
      try {
        const { id } = await this.api.visitor();
        const feed = new Feed(this.api, `botyard:${this.context.base}:${id}`, {
          event: (happened) => this.happened(happened),
          connected: (yes) => this.view.status(yes),
          refused: (why) => this.view.tell(why),
        });
        feed.listen();
        try {
          const history = await this.history();
          if (!this.open || this.feed) return feed.close();
          this.feed = feed;
          this.read(history);
          feed.start(history.after);
          return;
        } catch (error) {
          feed.close();
          throw error;
        }
      } catch (error) {
        if (error instanceof Refused && !error.passing) return this.view.tell(error.message);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  private async history(): Promise<History> {
    return (await this.api.call("messages")).json();
  }

  /** Draw the conversation as the server has it, then what is still on its way. */
  private read(history: History): void {
    this.view.clear();
    this.view.seeing(!!history.sees);
    this.bubbles.clear();
    this.greet();
    const known = new Set(history.messages.map((one) => one.id));
    for (const said of history.messages) this.draw(said);
    for (const one of history.pending) {
      this.pending.add(one.answer);
      if ((one.text || one.pictures) && !hidden(one.text) && !known.has(one.id)) this.draw({ ...one, role: "user", status: "sent" });
    }
    for (const id of known) this.pending.delete(id);
    if (history.live) {
      this.pending.add(history.live.msg);
      this.answer(history.live.msg).replace(history.live.text);
    }
    for (const letter of this.queue.letters) if (letter.path === "messages") this.drawLetter(letter);
    this.refresh();
    this.view.keep(() => undefined);
    this.view.log.scrollTop = this.view.log.scrollHeight;
  }

  private greet(): void {
    if (this.view.log.childElementCount) return;
    const hello = this.view.bubble("assistant", Date.now() / 1000);
    hello.finish(this.context.config.greeting || this.texts.greeting);
    hello.mark("greeting");
  }

  private draw(said: Said): Bubble {
    const bubble = this.view.bubble(said.role, said.created_at);
    bubble.finish(said.text);
    bubble.think(said.reasoning);
    if (said.pictures) bubble.picture(this.album.row(said.pictures));
    this.make(bubble, said);
    this.settle(bubble, said.status);
    this.bubbles.set(said.id, bubble);
    if (said.key) this.bubbles.set(said.key, bubble);
    return bubble;
  }

  private drawLetter(letter: Letter): void {
    if (hidden(letter.text) || this.bubbles.has(letter.key)) return;
    const bubble = this.view.bubble("user", letter.at);
    bubble.finish(letter.text);
    if (letter.pictures) bubble.picture(this.album.row(letter.pictures));
    bubble.mark("sending", this.texts.sending);
    this.bubbles.set(letter.key, bubble);
  }

  /** What an answer brought besides its words, or the work that is under way for it. */
  private make(bubble: Bubble, said: { media?: Made[]; job?: string; status?: string }): void {
    if (said.media) bubble.picture(gallery(said.media, this.api, this.texts, (change) => this.view.keep(change)));
    bubble.work(said.job && said.status === "working" ? this.job(said.job) : undefined);
  }

  private job(id: string): Job {
    return new Job(this.texts, () => this.send(`/cancel ${id}`));
  }

  private progress(data: Happened["data"]): void {
    const bubble = this.bubbles.get(data.msg!);
    if (!bubble || bubble.status !== "working") return;
    this.view.keep(() => {
      if (!bubble.job) bubble.work(this.job(data.job!));
      const [words, line] = data.text!.split("\n");
      bubble.finish(words!);
      const aloud = bubble.job!.show(line ?? "", data.fraction, data.preview);
      if (aloud) this.view.announce(aloud);
    });
  }

  private settle(bubble: Bubble, status: string, offered = false): void {
    if (bubble.role === "assistant" && status === "failed" && !offered) {
      bubble.mark(status, "", [this.texts.retry, () => this.again()]);
    } else bubble.mark(status, status === "stopped" ? this.texts.stopped : "");
  }

  private send(text: string, pictures: string[] = []): void {
    const letter: Letter = { key: uuid(), text: text.replace(/\p{Surrogate}/gu, "\ufffd"), at: Date.now() / 1000, path: "messages" };
    if (pictures.length) letter.pictures = pictures;
    this.drawLetter(letter);
    this.queue.push(letter);
  }

  private again(): void {
    this.queue.push({ key: uuid(), text: RETRY, at: Date.now() / 1000, path: "messages" });
  }

  private fresh(): void {
    this.view.focus();
    this.queue.push({ key: uuid(), text: "", at: Date.now() / 1000, path: "new" });
  }

  private async stop(): Promise<void> {
    try {
      await this.api.post("stop", uuid(), {});
    } catch (error) {
      this.view.tell((error as Error).message);
    }
  }

  private sent(letter: Letter, answer: string, id: string): void {
    this.view.tell("");
    const bubble = this.bubbles.get(letter.key);
    if (bubble) {
      this.bubbles.set(id, bubble);
      bubble.mark("sent");
    }
    if (answer && !this.bubbles.has(answer)) this.pending.add(answer);
    this.refresh();
  }

  private refused(letter: Letter, why: string): void {
    const bubble = this.bubbles.get(letter.key);
    if (!bubble) return this.view.tell(why);
    bubble.mark("failed", `${this.texts.failed} ${why}`, [this.texts.retry, () => {
      bubble.mark("sending", this.texts.sending);
      this.queue.push(letter);
    }]);
    this.view.announce(why);
  }

  private waiting(): void {
    this.view.keep(() => {
      for (const letter of this.queue.letters) this.bubbles.get(letter.key)?.mark("waiting", this.texts.waiting);
    });
  }

  private happened({ event, data }: Happened): void {
    if (event === "message") this.heard(data);
    else if (event === "start") this.view.keep(() => this.answer(data.msg!).replace(""));
    else if (event === "delta") this.view.keep(() => this.answer(data.msg!).append(data.t!));
    else if (event === "restart") this.view.keep(() => this.answer(data.msg!).replace(data.text!));
    else if (event === "end") this.ended(data);
    else if (event === "progress") this.progress(data);
    else if (event === "status") void this.changed(data.state!);
    else if (event === "error") this.view.tell(data.message!);
    this.refresh();
  }

  private heard(data: Happened["data"]): void {
    if (data.answer && !this.bubbles.has(data.answer)) this.pending.add(data.answer);
    const ours = this.bubbles.get(data.key!) ?? this.bubbles.get(data.id!);
    if (ours) this.bubbles.set(data.id!, ours);
    else if ((data.text || data.pictures) && !hidden(data.text!)) {
      const said = { ...data, role: "user", status: "sent", created_at: Date.now() / 1000 } as unknown as Said;
      this.draw(said);
    }
  }

  private ended(data: Happened["data"]): void {
    this.view.keep(() => {
      const bubble = this.answer(data.msg!);
      bubble.finish(data.text!);
      bubble.think(data.reasoning);
      if (data.status === "silent") return bubble.node.remove();
      this.make(bubble, data);
      if (data.buttons && !data.job) bubble.offer(data.buttons, (words) => this.send(words));
      this.settle(bubble, data.status!, !!data.buttons);
    });
    this.pending.delete(data.msg!);
    if (data.status === "silent") this.bubbles.delete(data.msg!);
    this.view.announce(data.text!);
  }

  private async changed(state: string): Promise<void> {
    if (state === "new") {
      this.view.clear();
      this.bubbles.clear();
      this.pending.clear();
      for (const letter of this.queue.letters) if (letter.path === "messages") this.drawLetter(letter);
    } else if (state === "resync") {
      try {
        const history = await this.history();
        this.read(history);
        this.feed?.skip(history.after);
      } catch { /* the stream ends too, and the next one says it again */ }
    }
  }

  /** The bubble of an answer; a failed one just before it gives way. */
  private answer(id: string): Bubble {
    const known = this.bubbles.get(id);
    if (known) return known;
    const last = [...this.bubbles.values()].pop();
    if (last?.role === "assistant" && last.status === "failed") last.node.remove();
    const made = this.view.bubble("assistant", Date.now() / 1000);
    made.mark("streaming");
    this.bubbles.set(id, made);
    return made;
  }

  private refresh(): void {
    const waiting = [...this.pending];
    this.view.busy(waiting.length > 0, waiting.length > 0 && !waiting.some((id) => this.bubbles.get(id)?.text));
  }
}

export function mount(context: Context): Chat {
  return new Conversation(context);
}
