// Requests to the widget's endpoints, in the name of a visitor whose token the server minted.
import { alone, type Store } from "./store";

export class Refused extends Error {
  readonly name = "Refused";

  constructor(readonly status: number, message: string, readonly after: number) {
    super(message);
  }

  /** Trying the same again later may help. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

interface Visitor {
  id: string;
  token: string;
}

export class Api {
  constructor(readonly base: string, private store: Store, readonly language: string) {}

  async visitor(stale = ""): Promise<Visitor> {
    const kept = () => {
      const one = this.store.get<Visitor | null>("visitor", null);
      return one && one.token !== stale ? one : null;
    };
    return kept() ?? alone(this.store.key("visitor"), async () => {
      const one = kept();
      if (one) return one;
      const made = (await (await this.send("visitor", { method: "POST" })).json()) as Visitor;
      this.store.set("visitor", made);
      return made;
    });
  }

  async call(path: string, init: RequestInit = {}, headers: Record<string, string> = {}): Promise<Response> {
    const { token } = await this.visitor();
    try {
      return await this.send(path, { ...init, headers: { ...headers, "x-visitor": token } });
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
    }
    const fresh = await this.visitor(token);
    return this.send(path, { ...init, headers: { ...headers, "x-visitor": fresh.token } });
  }

  async post(path: string, key: string, body: Record<string, unknown>): Promise<Record<string, string>> {
    const answer = await this.call(
      path,
      { method: "POST", body: JSON.stringify({ ...body, language: this.language }) },
      { "content-type": "application/json", "idempotency-key": key },
    );
    return answer.json();
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    const url = `${this.base}/${path}${path.includes("?") ? "&" : "?"}lang=${this.language}`;
    const answer = await fetch(url, { ...init, credentials: "omit", cache: "no-store" });
    if (answer.ok) return answer;
    let message = `HTTP ${answer.status}`;
    try {
      message = (await answer.json()).error.message ?? message;
    } catch { /* not ours: a proxy's page */ }
    throw new Refused(answer.status, message, Number(answer.headers.get("retry-after")) || 0);
  }
}
