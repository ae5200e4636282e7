/* A test in a browser: `await run("name", async (t) => {…})`. t.world makes the programs (world.mjs); t.open(url) a window; the
 * helpers find things only by role and accessible name, as a person with a screen reader does. Whatever the browser complains
 * about, an answer that is not as described, a request to any other host, or an accessibility fault on a page that is looked
 * at fails the test. */
import fs from "node:fs";
import path from "node:path";
import { faultsOf } from "./contract.mjs";
import { axeSource, chromium } from "./packages.mjs";
import { World } from "./world.mjs";

// What is not there after so long never comes: bounds on what hangs, however slow the machine is. Nothing waits for them that holds.
const PATIENCE = 45000; // ms until something that should show counts as missing
export const CONTACT = 180000; // … that takes contact with the MASH, which a device that has failed for a while tries once a minute
const LONGEST = 1000 * (process.env.SPOKE_LONGEST || 420); // ms of a whole test, before ctest loses its patience

class Test {
    constructor(name) {
        this.name = name;
        this.failures = 0;
        this.claims = 0;
        this.shots = process.env.SPOKE_SHOTS || null;
        this.answers = 0;
        this.routes = new Set();
        this.faults = new Set();
        this.pending = new Set();
        this.since = performance.now(); // the last claim
        this.patience = PATIENCE;
    }

    // ------------------------------------------------------------------------------------------------ claims
    ok(claim, holds, more = "") {
        this.claims++;
        // What a claim took is said where it is worth a look: a test that waits is a test that nobody starts.
        const took = performance.now() - this.since;
        this.since = performance.now();
        if (holds) return console.log(`ok    ${claim}${took > 1500 ? ` (${(took / 1000).toFixed(1)} s)` : ""}`);
        this.failures++;
        // What follows from this would take as long to be missed.
        this.patience = 5000;
        for (const context of this.browser?.contexts() || []) context.setDefaultTimeout(this.patience);
        return console.log(`FAILED ${claim}${more ? `: ${more}` : ""}`);
    }
    equal(claim, wanted, got) {
        this.ok(claim, wanted === got, `wanted ${wanted}, got ${got}`);
    }
    // Runs fn; the claim holds when it does not throw.
    async claim(claim, fn) {
        try {
            await fn();
            this.ok(claim, true);
        } catch (e) {
            this.ok(claim, false, e.message.split("\n").slice(0, 12).join("\n       "));
            await this.failed();
        }
    }

    // ------------------------------------------------------------------------------------- what has to become so
    /* A page is drawn a moment after the click, the answer, the news: one look would judge the machine. Looks again until holds() is
     * true of what look() gave; else throws with what it gave at last. → what it gave */
    async until(look, holds, wrong = (got) => JSON.stringify(got)) {
        for (const end = performance.now() + this.patience; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
            const got = await look();
            if (holds(got)) return got;
            if (performance.now() > end) throw new Error(wrong(got));
        }
    }
    // Exactly n of it.
    counts(locator, n) {
        return this.until(() => locator.count(), (got) => got === n, (got) => `wanted ${n}, there are ${got} of ${locator}`);
    }
    // Its text has each of these, words or pattern. → the text
    reads(locator, ...wanted) {
        const lacking = (text) => wanted.filter((w) => (w instanceof RegExp ? !w.test(text) : !text.includes(w)));
        return this.until(() => locator.innerText(), (text) => lacking(text).length === 0, (text) => `no ${lacking(text).join(", no ")} in: ${text}`);
    }
    // This stands in the field: the words, or what fits the pattern.
    value(field, wanted) {
        const fits = (got) => (wanted instanceof RegExp ? wanted.test(got) : got === wanted);
        return this.until(() => field.inputValue(), fits, (got) => `wanted ${wanted}, there stands ${JSON.stringify(got)}`);
    }
    checked(box) {
        return this.until(() => box.isChecked(), (on) => on, () => `not chosen: ${box}`);
    }
    // What has the focus is this, by a CSS selector.
    focused(page, selector) {
        return this.until(
            () => page.evaluate((s) => [document.activeElement?.matches(s), document.activeElement?.outerHTML.slice(0, 200)], selector),
            ([fits]) => fits, ([, html]) => `the focus is on ${html}`);
    }
    // It was there, and goes.
    gone(locator) {
        return this.counts(locator, 0);
    }
    /* It is not there and never was: no time is given. Only once something has been seen that comes with it, or the claim would hold
     * of a page that is not drawn yet. */
    async absent(locator) {
        const n = await locator.count();
        if (n) throw new Error(`there are ${n} of ${locator}: ${(await locator.allInnerTexts()).join(" | ").slice(0, 400)}`);
    }
    // The same of words: none of this in its text.
    async silent(locator, pattern) {
        const text = await locator.innerText();
        if (pattern.test(text)) throw new Error(`${text.match(pattern)[0]}: ${text}`);
    }
    // Asked as the page itself asks, cookie and all: {status, text}. An answer that nobody reads to its end would be waited for.
    asks(page, at, init) {
        return page.evaluate(
            async ([path, how]) => {
                const answer = await fetch(path, how);
                return { status: answer.status, text: await answer.text() };
            },
            [at, init],
        );
    }
    // Nothing on the page is still being fetched.
    drawn(page) {
        return page.waitForFunction(
            () => document.querySelector("h1") && [...document.querySelectorAll("main [role=status]")].every((e) => !e.textContent.startsWith("Loading")),
        );
    }

    // ----------------------------------------------------------------------------------------------- windows
    async begin() {
        const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
        this.browser = await chromium.launch({
            executablePath: process.env.SPOKE_CHROMIUM, headless: true, args: ["--disable-gpu", "--disable-dev-shm-usage", ...asRoot],
        });
    }
    /* A window of its own, signed in nowhere. fragment: of spoke open's address. */
    async open(url, { width = 1280, height = 900, path: at = "/" } = {}) {
        const context = await this.browser.newContext({ viewport: { width, height }, locale: "en-GB", reducedMotion: "reduce", acceptDownloads: true });
        context.setDefaultTimeout(this.patience);
        const page = await context.newPage();
        this.watch(page, url);
        await page.goto(url + at);
        return page;
    }
    watch(page, url) {
        const fault = (text) => this.faults.add(text);
        page.on("pageerror", (e) => fault(`error on the page: ${e.message}`));
        page.on("console", (m) => {
            if (m.type() !== "error" && m.type() !== "warning") return;
            // That an answer was a refusal, or that the service was stopped, is the test's own doing.
            if (/^Failed to load resource/.test(m.text()) && m.location().url.startsWith(`${url}/api/`)) return;
            if (/net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/.test(m.text())) return;
            fault(`the browser says: ${m.text()}`);
        });
        page.on("request", (r) => {
            const to = r.url();
            if (!to.startsWith(`${url}/`) && !to.startsWith("blob:") && !to.startsWith("about:")) fault(`the page asked ${to}`);
        });
        // What a page asked for and left before the answer was whole never ends.
        let leave = () => {};
        let left = new Promise((resolve) => (leave = resolve));
        page.on("domcontentloaded", () => {
            leave();
            left = new Promise((resolve) => (leave = resolve));
        });
        page.on("response", (r) => {
            const job = Promise.race([this.hold(r).catch(() => {}), left]); // or a window that was closed meanwhile
            this.pending.add(job);
            job.finally(() => this.pending.delete(job));
        });
    }
    async hold(response) {
        const at = new URL(response.url());
        if (!at.pathname.startsWith("/api/") || at.pathname === "/api/events") return;
        const type = response.headers()["content-type"] || "";
        // What waited for a service that the test stopped gets a bare 503 from the server beneath it.
        const [service] = Object.entries(this.world.services).find(([, s]) => s.url === at.origin) || [];
        const stopped = this.world.stopped.get(`serve-${service}`) || 0;
        if (response.status() === 503 && !type && response.request().timing().startTime <= stopped) return;
        const body = type.startsWith("application/json") ? await response.json() : undefined;
        const method = response.request().method();
        this.answers++;
        this.routes.add(`${method} ${at.pathname.replace(/[0-9a-f-]{32,36}/g, "ID")}`);
        for (const fault of faultsOf(method, at.pathname, response.status(), type, body)) this.faults.add(fault);
    }

    // ------------------------------------------------------------------------------------- what a person does
    async click(page, role, name, { exact = false, within = page } = {}) {
        await within.getByRole(role, { name, exact }).click();
    }
    link(page, name, more) {
        return this.click(page, "link", name, more);
    }
    button(page, name, more) {
        return this.click(page, "button", name, more);
    }
    choose(page, name, { exact = false, within = page } = {}) {
        return within.getByRole("radio", { name, exact }).check();
    }
    tick(page, name, on = true) {
        return page.getByRole("checkbox", { name }).setChecked(on);
    }
    // A text field or a list, by its label.
    async fill(page, label, value, { within = page, exact = false } = {}) {
        const field = within.getByRole("textbox", { name: label, exact }).or(within.getByRole("combobox", { name: label, exact })).first();
        await field.waitFor();
        if ((await field.evaluate((e) => e.tagName)) === "SELECT") await field.selectOption({ label: value });
        else await field.fill(value);
    }
    sees(page, text) {
        return page.getByText(text).first().waitFor({ state: "visible" });
    }
    heading(page, name) {
        return page.getByRole("heading", { level: 1, name }).waitFor({ state: "visible" });
    }
    async signIn(page, passphrase) {
        await page.getByRole("textbox", { name: "Your passphrase" }).fill(passphrase);
        await this.button(page, "Sign in", { exact: true });
        await page.getByRole("navigation", { name: "Menu" }).waitFor();
    }

    // ------------------------------------------------------------------------------------------ each page once
    /* A page as every page has to be: picture, axe, one h1 and a title, the line about contact, no sideways scrolling at
     * 200 % and 400 %. */
    async look(page, name, { bare = false } = {}) {
        await this.drawn(page);
        const shape = () =>
            page.evaluate(() => ({ h1: document.querySelectorAll("h1").length, title: document.title, lang: document.documentElement.lang }));
        await this.claim(`${name}: one main heading, a title, its language`, () =>
            this.until(shape, (of) => of.h1 === 1 && of.title.length > 8 && of.lang === "en-GB"));
        if (!bare)
            await this.claim(`${name}: says online or offline, last contact, what is held only here, and whom to ring`, () =>
                this.reads(page.getByRole("region", { name: "Contact with the MASH" }), /(Online|Offline)/, /contact with the MASH/i,
                    "held only on this device", "01632 960100"));
        await this.picture(page, name);
        const wrong = await this.axe(page);
        this.ok(`${name}: no accessibility fault that axe finds`, wrong.length === 0, wrong.join("\n       "));
        await this.narrow(page, name);
    }
    async picture(page, name) {
        if (this.shots) await page.screenshot({ path: path.join(this.shots, `${this.name}-${name}.png`), fullPage: true });
    }
    // What stood in every window when a claim failed.
    async failed() {
        const pages = (this.browser?.contexts() || []).flatMap((context) => context.pages());
        for (const [i, page] of pages.entries())
            if (this.shots) await page.screenshot({ path: path.join(this.shots, `FAILED-${this.name}-${this.failures}-${i}.png`), fullPage: true }).catch(() => {});
    }
    async narrow(page, name) {
        const size = page.viewportSize();
        for (const [percent, width] of [[200, 640], [400, 320]]) {
            await page.setViewportSize({ width, height: size.height });
            await page.waitForFunction((w) => innerWidth === w, width);
            const over = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            await this.claim(`${name}: nothing runs off the side at ${percent} %`, () =>
                this.until(over, (pixels) => pixels <= 1, (pixels) => `${pixels} pixels too wide`));
        }
        await page.setViewportSize(size);
    }
    // Through the debugger, so that the page's own policy stays on while it is looked at.
    async axe(page) {
        const session = await page.context().newCDPSession(page);
        const evaluate = async (expression, awaitPromise = false) => {
            const { result, exceptionDetails } = await session.send("Runtime.evaluate", { expression, awaitPromise, returnByValue: true });
            if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description || exceptionDetails.text}`);
            return result.value;
        };
        try {
            // Half a megabyte to read: once for each document, not for each page that is drawn in it.
            if (!(await evaluate("typeof axe === 'object'"))) await evaluate(`${axeSource};0`);
            const found = await evaluate(
                `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
                    .then((r) => r.violations.map((v) => v.id + " (" + v.help + "): " + v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + n.html.slice(0, 160)).join(" | ")))`,
                true,
            );
            return found;
        } finally {
            await session.detach();
        }
    }

    async finish() {
        await Promise.race([Promise.all(this.pending), new Promise((resolve) => setTimeout(resolve, 10000))]);
        this.ok(`nothing wrong in ${this.answers} answers of ${this.routes.size} routes, nor in what the browser says`, this.faults.size === 0,
            [...this.faults].slice(0, 30).join("\n       "));
        await this.browser?.close();
        await this.world?.end();
    }
}

export async function run(name, fn, options = {}) {
    const t = new Test(name);
    const from = Date.now();
    const watchdog = setTimeout(() => {
        console.log(`FAILED ${name}: not done after ${LONGEST / 1000} s`);
        process.exit(1);
    }, LONGEST);
    watchdog.unref();
    if (t.shots) fs.mkdirSync(t.shots, { recursive: true });
    try {
        await t.begin();
        t.world = await World.make(options);
        console.log(`      ${name}: hub and nodes stand after ${((Date.now() - from) / 1000).toFixed(1)} s`);
        await fn(t, t.world);
    } catch (e) {
        t.ok(`${name} runs to its end`, false, e.stack.split("\n").slice(0, 16).join("\n       "));
        await t.failed();
    }
    await t.finish();
    console.log(`${t.failures ? "FAILED" : "passed"}: ${name}, ${t.claims} claims, ${((Date.now() - from) / 1000).toFixed(1)} s`);
    process.exit(t.failures ? 1 : 0);
}
