// Pictures: made small in the browser, uploaded at once, and drawn on a canvas, which no page's policy forbids.
import type { Api } from "./api";
import { el, icon } from "./dom";
import type { Texts } from "./texts";

const LONGEST_SIDE = 2048;
const SHOWN_SIDE = 480;
const MOST = 4; // of one message, as the server has it

/** A canvas with the picture, at most so many pixels wide or high. */
export async function drawn(blob: Blob, side: number, canvas = el("canvas")): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

/** The picture as it is sent: not larger than models look at, and without what a camera wrote into it. */
async function shrunk(file: Blob): Promise<Blob> {
  const canvas = await drawn(file, LONGEST_SIDE);
  const type = file.type === "image/png" || file.type === "image/webp" ? "image/png" : "image/jpeg";
  const made = (kind: string) => new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, kind, 0.88));
  const first = await made(type);
  const small = first && first.size < 2_000_000 ? first : await made("image/jpeg");
  if (!small) throw new Error();
  return small;
}

/** Pictures of this page's visitor by id, fetched once. */
export class Album {
  private known = new Map<string, Promise<Blob>>();

  constructor(private api: Api, private texts: Texts) {}

  async upload(blob: Blob): Promise<string> {
    const answer = await this.api.call("pictures", { method: "POST", body: blob });
    const { id } = (await answer.json()) as { id: string };
    this.known.set(id, Promise.resolve(blob));
    return id;
  }

  /** The pictures of a message, in its bubble. */
  row(ids: string[]): HTMLElement {
    return el("div", { className: "pics" }, ...ids.map((id) => this.one(id)));
  }

  private one(id: string): HTMLElement {
    const canvas = el("canvas", { role: "img", "aria-label": this.texts.image, width: 160, height: 120 });
    const blob = this.known.get(id) ?? this.api.call(`pictures/${id}`).then((answer) => answer.blob());
    this.known.set(id, blob);
    blob.then((found) => drawn(found, SHOWN_SIDE, canvas)).catch(() => {
      this.known.delete(id);
      canvas.replaceWith(el("span", { className: "gone" }, this.texts.gone));
    });
    return canvas;
  }
}

/** The pictures that wait in the composer. */
export class Tray {
  readonly node = el("div", { className: "tray", hidden: true });
  private items = new Map<HTMLElement, string>(); // "" while it is uploaded

  constructor(private album: Album, private texts: Texts, private on: { changed(change: () => void): void; problem(why: string): void }) {}

  get size(): number {
    return this.items.size;
  }

  get ready(): boolean {
    return [...this.items.values()].every(Boolean);
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      if (!file.type.startsWith("image/")) continue;
      if (this.size >= MOST) return this.on.problem(this.texts.most);
      void this.one(file);
    }
  }

  /** The ids of all, which leave the tray. */
  take(): string[] {
    const ids = [...this.items.values()];
    for (const chip of [...this.items.keys()]) this.drop(chip);
    return ids;
  }

  private async one(file: File): Promise<void> {
    const chip = el("span", { className: "chip", "data-busy": "" });
    chip.append(el("button", {
      type: "button", "aria-label": this.texts.remove, title: this.texts.remove, onclick: () => this.drop(chip),
    }, icon("M7 7l10 10M17 7L7 17")));
    this.items.set(chip, "");
    this.node.append(chip);
    this.changed();
    let why = this.texts.unreadable;
    try {
      const small = await shrunk(file);
      chip.prepend(await drawn(small, 128));
      why = this.texts.upload;
      const id = await this.album.upload(small);
      if (this.items.has(chip)) this.items.set(chip, id);
      chip.removeAttribute("data-busy");
      this.on.problem("");
    } catch (error) {
      this.drop(chip);
      this.on.problem((error as Error).name === "Refused" ? (error as Error).message : why);
    }
    this.changed();
  }

  private drop(chip: HTMLElement): void {
    this.items.delete(chip);
    chip.remove();
    this.changed();
  }

  private changed(): void {
    this.on.changed(() => (this.node.hidden = !this.size));
  }
}
