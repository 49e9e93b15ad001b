// Making elements without markup: no HTML is ever parsed, so Trusted Types have nothing to guard.

type Props = Record<string, unknown>;
const PROPERTIES = new Set(["className", "hidden", "disabled", "tabIndex", "textContent", "rows", "maxLength", "value"]);

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, props: Props = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value as EventListener);
    else if (PROPERTIES.has(name)) (node as unknown as Props)[name] = value;
    else if (value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

export function icon(...paths: string[]): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export function sheet(css: string): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}
