// The family tree without a browser: half-siblings, what ended, hostile and impossible kin, and that it is quick.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { importPackage, root } from "./packages.mjs";

let failures = 0;
function ok(claim, holds, more = "") {
    console.log(`${holds ? "ok   " : "FAILED"} ${claim}${holds || !more ? "" : `: ${more}`}`);
    if (!holds) failures++;
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spoke-kin."));
process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
const esbuild = await importPackage("esbuild/lib/main.js");
const home = process.env.SPOKE_NPM || path.join(root, "build/npm");
await esbuild.build({
    stdin: { contents: 'export * from "./kin.js"; export * from "./genogram_layout.js";', resolveDir: path.join(root, "web/src/case") },
    bundle: true,
    format: "esm",
    outfile: path.join(folder, "tree.mjs"),
    nodePaths: [path.join(home, "node_modules")],
    logLevel: "error",
});
const { family, kinSentences, kinWords, layout } = await import(pathToFileURL(path.join(folder, "tree.mjs")));

const person = (id) => ({ id, name: id.toUpperCase(), sex: "0" });
const people = (...ids) => ids.map(person);
const kin = (...rows) => rows.map(([person_id, relative_id, kind], i) => ({ id: `k${i}`, person_id, relative_id, kind }));
const unions = (model) => model.unions.map((u) => `${u.parents.join("+")}>${[...u.children.keys()].sort().join("+")}:${u.bond}`).sort();

const half = family(
    people("m", "f", "g", "a", "b"),
    kin(["a", "m", "mother"], ["a", "f", "father"], ["b", "m", "Mother"], ["b", "g", "father"], ["m", "f", "divorced"], ["m", "f", "married"]),
);
ok(
    "half-brothers hang under two unions that share their mother, and a divorce stays one",
    JSON.stringify(unions(half)) === '["f+m>a:divorced","g+m>b:together"]',
    unions(half).join(),
);

const both = family(people("m", "c"), kin(["c", "m", "mother"], ["m", "c", "daughter"]));
ok("the same said from both ends is one line", JSON.stringify(unions(both)) === '["m>c:together"]', unions(both).join());

const foster = family(people("m", "f", "c"), kin(["c", "m", "mother"], ["c", "f", "foster carer"]));
ok("a foster carer is no birth parent", foster.unions.some((u) => u.parents[0] === "f" && u.children.get("c") === "foster") && foster.unions.length === 2);

const orphans = family(people("a", "b", "c"), kin(["a", "b", "sister"], ["b", "c", "half-brother"]));
ok("brothers and sisters whose parents nobody named hang together", orphans.unions.length === 1 && orphans.unions[0].children.size === 3);

const odd = family(
    people("a", "b"),
    kin(
        ["a", "a", "mother"],
        ["x", "a", "mother"],
        ["a", "b", "<script>alert(1)</script>"],
        ["a", "b", null],
        ["a", "b", "__proto__"],
        ["a", "b", "constructor"],
    ),
);
ok(
    "nobody is their own mother, nor kin of somebody who is not here; unknown words draw no line",
    odd.unions.length === 0 && odd.ties.length === 0 && odd.loose.length === 2,
    JSON.stringify(odd.unions),
);
ok("an unknown word is shown as it was written", kinWords("<b>aunt-in-law</b>") === "<b>aunt-in-law</b>");
ok(
    "the table says both ends",
    kinSentences(person("a"), people("a", "m"), kin(["a", "m", "step-mother"]))[0].text === "Step-mother: M" &&
        kinSentences(person("m"), people("a", "m"), kin(["a", "m", "step-mother"]))[0].text === "Step-mother of A",
);

const round = layout(people("a", "b", "c"), kin(["a", "b", "mother"], ["b", "c", "mother"], ["c", "a", "mother"]));
ok(
    "who are each other's mothers in a circle are drawn all the same",
    round.people.length === 3 && round.people.every((p) => Number.isFinite(p.x) && Number.isFinite(p.y)),
);

const ids = Array.from({ length: 120 }, (_, i) => `p${String(i).padStart(3, "0")}`);
const rows = ids.slice(2).flatMap((id, i) => [
    [id, ids[Math.floor(i / 2)], "mother"],
    [id, ids[Math.floor(i / 3)], "father"],
]);
const big = layout(people(...ids), kin(...rows));
ok("a hundred and twenty people are laid out", big.people.length === 120);
const places = new Set(big.people.map((p) => `${Math.round(p.x)} ${Math.round(p.y)}`));
ok("no two of them on one place", places.size === 120, `${places.size} places`);
ok("the same family gives the same drawing", JSON.stringify(layout(people(...ids), kin(...rows))) === JSON.stringify(big));
console.log(failures ? "FAILED: case_kin" : "passed: case_kin");
process.exit(failures ? 1 : 0);
