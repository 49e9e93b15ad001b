// Builds dist/ from src/; the same sources give the same bytes. Run by `npm run build`.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";

// A link's address may hold balanced brackets, and one that never ends must not swallow the message.
const PATCHES = [
  [
    "if (')' === char) {\n                    const type = p.token === LINK ? HREF : SRC",
    "if ('\\n' === char) {\n p.text = p.pending; p.pending = ''; add_text(p); end_token(p); p.pending = char } else " +
      "if (')' === char && p.pending.split('(').length - p.pending.split(')').length < 2) {\n" +
      "                    const type = p.token === LINK ? HREF : SRC",
  ],
];

const plugin = {
  name: "botyard",
  setup(at) {
    at.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true, target: "es2022" });
      return { contents: code.trim(), loader: "text" };
    });
    at.onLoad({ filter: /streaming-markdown[\\/]smd\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [from, to] of PATCHES) {
        if (!contents.includes(from)) throw new Error("streaming-markdown changed: look at the patches again");
        contents = contents.replace(from, () => to);
      }
      return { contents, loader: "js" };
    });
  },
};

const shared = { bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none", plugins: [plugin],
  tsconfigRaw: { compilerOptions: { target: "es2022", strict: true, useDefineForClassFields: false } } }; // shorter than fields
await build({ ...shared, entryPoints: ["src/loader.ts"], outfile: "dist/loader.js", format: "iife" });
await build({
  ...shared, entryPoints: ["src/core.ts"], outfile: "dist/core.js", format: "esm",
  conditions: ["import"], mainFields: ["module"], drop: ["console"], // assertions of a library
  banner: { js: "/* Botyard widget. Holds streaming-markdown (MIT, Damian Tarnawski) and eventsource-parser (MIT, Espen Hovlandsdal). */" },
});

const digest = createHash("sha256");
for (const name of [...readdirSync("src").sort().map((file) => `src/${file}`), "build.mjs", "package-lock.json"]) {
  digest.update(name + "\0");
  digest.update(readFileSync(name));
}
writeFileSync("dist/BUILD", digest.digest("hex") + "\n");
