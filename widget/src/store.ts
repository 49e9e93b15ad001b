// What a widget keeps in the browser; where storage is refused, it lives as long as the page.

export class Store {
  private memory = new Map<string, string>();

  constructor(private prefix: string) {}

  key(name: string): string {
    return `${this.prefix}:${name}`;
  }

  get<T>(name: string, otherwise: T): T {
    let text: string | null | undefined;
    try {
      text = localStorage.getItem(this.key(name));
    } catch {
      text = this.memory.get(name);
    }
    try {
      return text ? (JSON.parse(text) as T) : otherwise;
    } catch {
      return otherwise;
    }
  }

  set(name: string, value: unknown): void {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(this.key(name), text);
    } catch {
      this.memory.set(name, text);
    }
  }

  stay(open: boolean): void {
    try {
      if (open) sessionStorage.setItem(this.key("open"), "1");
      else sessionStorage.removeItem(this.key("open"));
    } catch { /* the next page starts closed */ }
  }
}

export function uuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID(); // only on HTTPS and loopback
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Run work in one tab at a time, where the browser can promise that. */
export async function alone<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!navigator.locks) return work();
  return (await navigator.locks.request(name, signal ? { signal } : {}, work)) as T;
}
