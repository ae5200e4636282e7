// The description of the service is itself well-formed OpenAPI 3.1: by its official schema, and every $ref leads somewhere.
import fs from "node:fs";
import path from "node:path";
import { importPackage, root } from "./packages.mjs";

const { Validator } = await importPackage("@seriousme/openapi-schema-validator/index.js");
const description = JSON.parse(fs.readFileSync(path.join(root, "web/openapi.json"), "utf8"));
const faults = [];

const result = await new Validator().validate(structuredClone(description));
if (!result.valid) faults.push(...[result.errors].flat().map((e) => (typeof e === "string" ? e : `${e.instancePath} ${e.message}`)));
if (!/^3\.1\./.test(description.openapi)) faults.push(`it says openapi ${description.openapi}, not 3.1`);

const used = new Set();
(function walk(value, at) {
    if (value === null || typeof value !== "object") return;
    if (typeof value.$ref === "string") {
        used.add(value.$ref);
        const target = value.$ref.replace(/^#\//, "").split("/").reduce((v, p) => v?.[p.replace(/~1/g, "/").replace(/~0/g, "~")], description);
        if (!value.$ref.startsWith("#/") || target === undefined) faults.push(`${at}: ${value.$ref} leads nowhere`);
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, `${at}/${key}`);
})(description, "");
for (const name of Object.keys(description.components?.schemas || {}))
    if (!used.has(`#/components/schemas/${name}`)) faults.push(`the schema ${name} is used by nothing`);
const ids = new Set();
for (const [route, item] of Object.entries(description.paths))
    for (const [method, operation] of Object.entries(item)) {
        if (!["get", "post", "put", "delete"].includes(method)) continue;
        if (!operation.summary && !operation.description) faults.push(`${method} ${route} says nothing about itself`);
        if (operation.operationId && ids.has(operation.operationId)) faults.push(`two operations are called ${operation.operationId}`);
        ids.add(operation.operationId);
        for (const [, name] of route.matchAll(/\{([^}]+)\}/g)) {
            const named = [...(item.parameters || []), ...(operation.parameters || [])].some((p) => p.$ref || (p.in === "path" && p.name === name));
            if (!named) faults.push(`${method} ${route} does not describe {${name}}`);
        }
    }
for (const fault of faults.slice(0, 40)) console.log(`FAILED ${fault}`);
console.log(`${faults.length ? "FAILED" : "passed"}: openapi, ${Object.keys(description.paths).length} routes, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
