// Everything that pages are built from.
export * from "./page.js";
export * from "./tag.js";
export * from "./fields.js";
export * from "./table.js";
