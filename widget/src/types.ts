export interface Config {
  title: string;
  greeting: string;
  core: string;
  accent: { fill: string; ink: string; light: string; dark: string };
}

export interface Context {
  base: string;
  config: Config;
  host: HTMLElement;
  root: ShadowRoot;
  button: HTMLButtonElement;
  language: string;
}

export interface Chat {
  toggle(focus?: boolean): void;
  ask(question: string): void;
}

export interface Letter {
  key: string;
  text: string;
  at: number;
  pictures?: string[];
  path: "messages" | "new";
}

export interface Made {
  id: string;
  kind: "image" | "video";
}

export interface Said {
  id: string;
  key?: string;
  role: "user" | "assistant";
  text: string;
  status: string;
  created_at: number;
  pictures?: string[];
  reasoning?: string;
  media?: Made[];
  job?: string;
}

export interface Pending {
  id: string;
  key: string;
  text: string;
  answer: string;
  created_at: number;
  pictures?: string[];
}

export interface Happened {
  id: string;
  event: string;
  data: Record<string, string> & { pictures?: string[]; buttons?: [string, string][]; media?: Made[]; fraction?: number };
}
