// The packages that packaging/web-packages fetched: they lie in build/npm, not beside these files.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const home = process.env.SPOKE_NPM || path.join(root, "build/npm");
const load = createRequire(path.join(home, "tests.js"));

export const { chromium } = load("playwright-core");
export const Ajv = load("ajv/dist/2020").default;
export const addFormats = load("ajv-formats").default;
export const axeSource = fs.readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");
// A package that is an ES module alone.
export const importPackage = (file) => import(path.join(home, "node_modules", file));
