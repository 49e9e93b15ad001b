// Markdown into elements of an allow-list, as it streams in. Nothing here parses HTML or loads an image.
import * as smd from "streaming-markdown";
import { el } from "./dom";
import type { Texts } from "./texts";

const SAFE = /^(https?:\/\/|mailto:|tel:)/i;

const TAGS: Record<number, keyof HTMLElementTagNameMap> = {
  [smd.BLOCKQUOTE]: "blockquote", [smd.PARAGRAPH]: "p", [smd.LINE_BREAK]: "br", [smd.RULE]: "hr",
  [smd.HEADING_1]: "h3", [smd.HEADING_2]: "h3", [smd.HEADING_3]: "h4", [smd.HEADING_4]: "h4",
  [smd.HEADING_5]: "h5", [smd.HEADING_6]: "h5", [smd.ITALIC_AST]: "em", [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong", [smd.STRONG_UND]: "strong", [smd.STRIKE]: "s", [smd.CODE_INLINE]: "code",
  [smd.RAW_URL]: "a", [smd.LINK]: "a", [smd.IMAGE]: "a", [smd.LIST_UNORDERED]: "ul", [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li", [smd.CHECKBOX]: "input", [smd.EQUATION_BLOCK]: "code", [smd.EQUATION_INLINE]: "code",
};

export interface Writer {
  write(text: string): void;
  end(): void;
}

export function writer(root: HTMLElement, texts: Texts): Writer {
  const path: HTMLElement[] = [root];
  const kinds: number[] = [smd.DOCUMENT];
  const top = () => path[path.length - 1]!;

  function element(type: number): HTMLElement {
    const parent = top();
    if (type === smd.CODE_BLOCK || type === smd.CODE_FENCE) {
      const code = el("code");
      parent.append(el("pre", { tabIndex: 0 }, code));
      return code;
    }
    if (type === smd.TABLE) {
      const table = el("table");
      parent.append(el("div", { className: "wide", tabIndex: 0 }, table));
      return table;
    }
    if (type === smd.TABLE_ROW) {
      const part = parent.children.length === 0 ? "thead" : "tbody";
      const last = parent.lastElementChild;
      const group = last && last.tagName === "TBODY" ? last : parent.appendChild(el(part));
      return group.appendChild(el("tr"));
    }
    if (type === smd.TABLE_CELL) return parent.appendChild(el(parent.parentElement?.tagName === "THEAD" ? "th" : "td"));
    const tag = TAGS[type] ?? "span";
    const node = parent.appendChild(el(tag));
    if (tag === "input") {
      node.setAttribute("type", "checkbox");
      node.setAttribute("disabled", "");
    }
    return node;
  }

  const parser = smd.parser({
    data: null,
    add_token(_, type) {
      if (type === smd.DOCUMENT) return;
      path.push(element(type));
      kinds.push(type);
    },
    end_token() {
      if (path.length > 1) {
        const node = path.pop()!;
        if (kinds.pop() === smd.IMAGE && !node.textContent) node.textContent = texts.image;
      }
    },
    add_text(_, text) {
      top().append(text);
    },
    set_attr(_, type, value) {
      const node = top();
      if (type === smd.HREF || type === smd.SRC) {
        let url = value.trim().split(/\s/)[0]!;
        if (kinds[kinds.length - 1] === smd.RAW_URL) url = url.replace(/[).,;:!?»”"'\]]+$/, "");
        if (!SAFE.test(url)) return;
        node.setAttribute("href", url);
        node.setAttribute("target", "_blank");
        node.setAttribute("rel", "noopener noreferrer nofollow");
        node.setAttribute("title", `${url} (${texts.opens})`);
      } else if (type === smd.CHECKED) node.setAttribute("checked", "");
      else if (type === smd.START) node.setAttribute("start", value);
    },
  });
  return { write: (text) => smd.parser_write(parser, text), end: () => smd.parser_end(parser) };
}
