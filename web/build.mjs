// Bundles the pages: build.mjs NODE_MODULES OUT. Prints what came out, and fails when the pages would be too much to load, or
// use a class of GOV.UK's or MOJ's that has no style here.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import zlib from "node:zlib";

const LIMIT = 120 * 1000; // bytes of script and style of all pages together, compressed: a slow link's few seconds
const here = path.dirname(fileURLToPath(import.meta.url));
const [modules, out] = process.argv.slice(2).map((p) => path.resolve(p));
if (!out) {
    console.error("build.mjs NODE_MODULES OUT");
    process.exit(64);
}
const require = createRequire(path.join(modules, "..", "build.js"));
const esbuild = require("esbuild");
// Its ES module: that one loads without what watches files, which wants a later Node than Debian has.
const sass = await import(pathToFileURL(path.join(modules, "sass/sass.node.mjs")).href);

// GOV.UK's and MOJ's styles are compiled; their own deprecation notices to themselves are not ours to mend.
const scss = {
    name: "scss",
    setup(build) {
        build.onLoad({ filter: /\.scss$/ }, (args) => {
            // MOJ's import GOV.UK's by the folder above.
            const loadPaths = [modules, path.dirname(modules)];
            const made = sass.compile(args.path, { style: "compressed", loadPaths, quietDeps: true });
            if (/@font-face|GDS Transport|crest/i.test(made.css))
                throw new Error("the compiled styles hold a font or a crest that only gov.uk may use");
            return { contents: made.css, loader: "css" };
        });
    },
};
// MOJ's styles name their icons by the address they would have on a server of theirs.
const icons = {
    name: "icons",
    setup(build) {
        build.onResolve({ filter: /^\/assets\/images\// }, (args) => ({
            path: path.join(modules, "@ministryofjustice/frontend/moj", args.path),
        }));
    },
};

const made = await esbuild.build({
    entryPoints: { app: path.join(here, "src/main.js") },
    absWorkingDir: path.resolve(here, ".."), // names of files depend on what is in them, not on where this tree lies
    bundle: true,
    minify: true,
    format: "esm",
    splitting: true,
    chunkNames: "part-[hash]",
    target: ["chrome109", "firefox115", "safari16"],
    outdir: out,
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    nodePaths: [modules],
    loader: { ".svg": "file" },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
    plugins: [scss, icons],
});

fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
// The first page is the entry, its style, and the parts that it imports at once; other parts come when they are wanted.
const outputs = Object.fromEntries(Object.entries(made.metafile.outputs).map(([file, about]) => [path.basename(file), about]));
const first = new Set();
(function follow(name) {
    if (first.has(name)) return;
    first.add(name);
    if (outputs[name].cssBundle) follow(path.basename(outputs[name].cssBundle));
    for (const i of outputs[name].imports) if (i.kind === "import-statement") follow(path.basename(i.path));
})(Object.keys(outputs).find((name) => name.endsWith(".js") && outputs[name].entryPoint?.endsWith("main.js")));
let total = 0;
let everything = 0;
const named = {};
for (const file of made.outputFiles) {
    const name = path.basename(file.path);
    fs.writeFileSync(path.join(out, name), file.contents);
    if (!/\.(js|css)$/.test(name)) continue;
    const size = zlib.gzipSync(file.contents, { level: 9 }).length;
    if (name.startsWith("app-")) named[path.extname(name)] = name;
    if (first.has(name)) total += size;
    everything += size;
    console.log(`${name}: ${file.contents.length} bytes, ${size} compressed${first.has(name) ? ", first page" : ""}`);
}

const icon = fs.readFileSync(path.join(here, "css/icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;
fs.writeFileSync(path.join(out, iconName), icon);
const page = fs.readFileSync(path.join(here, "index.html"), "utf8");
fs.writeFileSync(
    path.join(out, "index.html"),
    page.replace("{{style}}", named[".css"]).replace("{{script}}", named[".js"]).replace("{{icon}}", iconName),
);
fs.writeFileSync(path.join(out, "licences.txt"), licences(made.metafile));

const unstyled = unstyledClasses();
for (const name of unstyled) console.log(`The pages use ${name}, and neither css/govuk.scss nor css/moj.scss brings a style for it.`);
console.log(`first page: ${total} bytes of script and style, compressed; all pages: ${everything}, of ${LIMIT} at most`);
if (everything > LIMIT) console.log(`The pages are ${everything - LIMIT} bytes too large: leave something out, or take a smaller way.`);
if (everything > LIMIT || unstyled.length) process.exit(1);

// Only the components that are named in css/*.scss are compiled: one that is forgotten there would look like nothing at all.
function unstyledClasses() {
    const component = (name) => name.replace(/(?<=\w)(__|--).*/, "");
    const styled = new Set();
    const used = new Set();
    for (const file of made.outputFiles) {
        if (file.path.endsWith(".css")) for (const [, name] of file.text.matchAll(/\.((?:govuk|moj)-[\w-]*\w)/g)) styled.add(component(name));
        // A name that ends in a hyphen is put together where the page is drawn.
        if (file.path.endsWith(".js")) for (const [name] of file.text.matchAll(/(?<![\w-])(?:govuk|moj)-[\w-]*\w(?![\w-]|\$\{)/g)) used.add(component(name));
    }
    return [...used].filter((name) => !styled.has(name));
}

/* The licence of every package of which something went into the pages, as its authors wrote it: from the package itself. Two
 * bring none; web/licences has for them, word for word, what lies in their repositories. It is used only for as long as it is
 * the licence that the package names, so that a package that changes its licence stops the build. */
function licences(meta) {
    const used = new Set();
    // The styles that Sass read are not in esbuild's account of inputs.
    for (const name of ["govuk-frontend", "@ministryofjustice/frontend"]) used.add(name);
    for (const input of Object.keys(meta.inputs)) {
        const found = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
        if (found) used.add(found[1]);
    }
    const parts = [...used].sort().map((name) => {
        const folder = path.join(modules, name);
        const about = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
        const file = fs.readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
        const own = path.join(here, "licences", `${name.replace(/[@/]+/g, "_").replace(/^_/, "")}.txt`);
        if (!file && !fs.existsSync(own)) throw new Error(`${name} brings no licence text, and web/licences has none`);
        const text = fs.readFileSync(file ? path.join(folder, file) : own, "utf8").trim();
        if (!file && !text.split("\n")[0].includes(`${about.license} License`))
            throw new Error(`${name} is under ${about.license}, and web/licences has another licence for it`);
        return `${name} ${about.version} (${about.license}${file ? "" : "; the text is that of its repository, the package brings none"})\n\n${text}\n`;
    });
    return `The pages of Spoke contain parts of these packages.\n\n${parts.join(`\n${"-".repeat(72)}\n\n`)}`;
}
