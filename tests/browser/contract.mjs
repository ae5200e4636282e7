// Every answer of the service, held against web/openapi.json.
import fs from "node:fs";
import path from "node:path";
import { Ajv, addFormats, root } from "./packages.mjs";

const description = JSON.parse(fs.readFileSync(process.env.SPOKE_OPENAPI || path.join(root, "web/openapi.json"), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(description, "api");

const routes = Object.keys(description.paths).map((template) => ({
    template,
    fits: new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+")}$`),
    exact: !template.includes("{"),
}));
function routeOf(pathname) {
    const found = routes.filter((r) => r.fits.test(pathname));
    return (found.find((r) => r.exact) || found[0])?.template;
}
const pointer = (text) => text.replace(/~/g, "~0").replace(/\//g, "~1");
// A response may itself be a $ref.
function resolve(value, at) {
    if (value?.$ref) {
        const parts = value.$ref.slice(2).split("/").map((p) => p.replace(/~1/g, "/").replace(/~0/g, "~"));
        return { value: parts.reduce((v, p) => v?.[p], description), at: `#/${parts.map(pointer).join("/")}` };
    }
    return { value, at };
}

// Each schema is compiled once.
const compiled = new Map();
function checkOf(at) {
    if (!compiled.has(at)) compiled.set(at, ajv.compile({ $ref: `api${at}` }));
    return compiled.get(at);
}

// What is wrong with this answer, as lines; [] where it is as described. body: parsed JSON, or undefined where it is none.
export function faultsOf(method, pathname, status, type, body) {
    const template = routeOf(pathname);
    const where = `${method} ${pathname} → ${status}`;
    if (!template) return [`${where}: the description has no such route`];
    const operation = description.paths[template][method.toLowerCase()];
    if (!operation) return [`${where}: the description has no ${method} of ${template}`];
    const key = operation.responses[status] ? String(status) : operation.responses[`${Math.floor(status / 100)}XX`] ? `${Math.floor(status / 100)}XX` : "default";
    const response = resolve(operation.responses[key], `#/paths/${pointer(template)}/${method.toLowerCase()}/responses/${key}`);
    if (!response.value) return [`${where}: the description has no such status`];
    const kinds = Object.keys(response.value.content || {});
    if (kinds.length === 0) return [];
    const kind = kinds.find((k) => type.startsWith(k));
    if (!kind) return [`${where}: it is ${type || "nothing"}, and should be ${kinds.join(" or ")}`];
    if (!kind.startsWith("application/json")) return [];
    if (!response.value.content[kind].schema) return [];
    const check = checkOf(`${response.at}/content/${pointer(kind)}/schema`);
    if (check(body)) return [];
    return check.errors.slice(0, 5).map((e) => `${where}: ${e.instancePath || "/"} ${e.message} ${JSON.stringify(e.params)}`);
}
