// Messages on their way: kept in the browser until the server has them, sent one after the other.
import { Refused, type Api } from "./api";
import { alone, type Store } from "./store";
import type { Letter } from "./types";

interface Listener {
  sent(letter: Letter, answer: string, id: string): void;
  refused(letter: Letter, why: string): void;
  waiting(): void;
}

export class Queue {
  private busy = false;
  private wake = () => {};

  constructor(private api: Api, private store: Store, private on: Listener) {
    const go = () => this.flush();
    addEventListener("online", go);
    addEventListener("storage", (event) => event.key === store.key("queue") && go());
  }

  get letters(): Letter[] {
    return this.store.get<Letter[]>("queue", []);
  }

  push(letter: Letter): void {
    this.store.set("queue", [...this.letters, letter]);
    this.flush();
  }

  flush(): void {
    this.wake();
    if (this.busy || !this.letters.length) return;
    this.busy = true;
    void alone(this.store.key("send"), () => this.sendAll()).finally(() => {
      this.busy = false;
      if (this.letters.length) this.flush();
    });
  }

  private async sendAll(): Promise<void> {
    let wait = 500;
    for (let letter = this.letters[0]; letter; letter = this.letters[0]) {
      try {
        const { answer, id } = await this.api.post(letter.path, letter.key, { text: letter.text, pictures: letter.pictures });
        this.drop(letter);
        this.on.sent(letter, answer!, id!);
        wait = 500;
      } catch (error) {
        if (error instanceof Refused && !error.passing) {
          this.drop(letter);
          this.on.refused(letter, error.message);
          continue;
        }
        this.on.waiting();
        const after = error instanceof Refused ? error.after * 1000 : 0;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
          setTimeout(resolve, Math.max(wait * (1 + Math.random() * 0.3), Math.min(after, 60_000)));
        });
        this.wake = () => {};
        wait = Math.min(wait * 2, 20_000);
      }
    }
  }

  private drop(letter: Letter): void {
    this.store.set("queue", this.letters.filter((one) => one.key !== letter.key));
  }
}
