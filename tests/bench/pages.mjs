// pages.mjs SPOKE HOME PASSPHRASE_FILE: the measurements of tests/bench/pages. Of each answer: wall time and processor time of the
// service (other programs may share the machine), medians, beside a file of about the same size from the same service, which
// is the raw limit. "rested": the replica was closed meanwhile, as after every pause of half a second; "first" answers
// find nothing in memory and no search index.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "../browser/packages.mjs";

const [spoke, home, passphraseFile] = process.argv.slice(2);
const passphrase = fs.readFileSync(passphraseFile, "utf8").trim();
const REPEATS = 9;
const SERVICE_AIM = 50; // ms
const DRAWN_AIM = 200; // ms
const MEMORY_AIM = 24; // MB
const CLOSED_MS = 1100; //  after the service has closed the replica

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const ms = (v) => `${v.toFixed(1)} ms`;
const verdict = (v, aim) => (v <= aim ? "" : "  OVER");

// --------------------------------------------------------------------------------------------------------- the service
const log = fs.openSync(`${home}.log`, "w");
const service = spawn(spoke, ["--home", home, "--no-input", "serve", "--listen", "127.0.0.1:0", "--idle", "700"], { stdio: ["ignore", "pipe", log] });
process.once("exit", () => service.kill("SIGKILL"));
const said = await new Promise((resolve, reject) => {
    service.stdout.once("data", (chunk) => resolve(String(chunk)));
    service.once("exit", () => reject(new Error(fs.readFileSync(`${home}.log`, "utf8"))));
});
const url = said.match(/http:\S+/)[0];

const status = () => fs.readFileSync(`/proc/${service.pid}/status`, "utf8");
const megabytes = (name) => Number(status().match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))[1]) / 1000;
// Milliseconds on a processor, of all its threads; finer than the hundredths of /proc/PID/stat.
function busy() {
    let ns = 0;
    for (const task of fs.readdirSync(`/proc/${service.pid}/task`)) ns += Number(fs.readFileSync(`/proc/${service.pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
    return ns / 1e6;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let cookie = "";
function ask(method, target, body) {
    const headers = { Cookie: cookie, Accept: "*/*" };
    if (method !== "GET") Object.assign(headers, { Origin: url, "Content-Type": "application/json" });
    return new Promise((resolve, reject) => {
        const request = http.request(url + target, { method, headers, agent }, (answer) => {
            const chunks = [];
            answer.on("data", (c) => chunks.push(c));
            answer.on("end", () => {
                const got = Buffer.concat(chunks);
                if (answer.statusCode !== 200) reject(new Error(`${method} ${target}: ${answer.statusCode} ${got.subarray(0, 300)}`));
                else resolve({ body: got, cookie: answer.headers["set-cookie"]?.[0].split(";")[0] });
            });
        });
        request.on("error", reject);
        request.end(body === undefined ? undefined : JSON.stringify(body));
    });
}
async function timed(target) {
    const cpu = busy();
    const from = performance.now();
    const { body } = await ask("GET", target);
    return { wall: performance.now() - from, cpu: busy() - cpu, body };
}
async function several(target, rest) {
    const all = [];
    for (let i = 0; i < REPEATS; i++) {
        if (rest) await pause(CLOSED_MS);
        all.push(await timed(target));
    }
    return { wall: middle(all.map((t) => t.wall)), cpu: middle(all.map((t) => t.cpu)), body: all[0].body };
}

// ------------------------------------------------------------------------------------------------- answers at the service
async function files() {
    const page = String((await ask("GET", "/")).body);
    const names = [...page.matchAll(/(?:src|href)="(\/?[^"]+)"/g)].map((m) => (m[1].startsWith("/") ? m[1] : `/${m[1]}`));
    const all = [];
    for (const name of ["/", ...names]) all.push({ name, size: (await ask("GET", name)).body.length });
    return all;
}
async function measure(name, target, raws, aimed = true) {
    const warm = await several(target, false);
    const rested = await several(target, true);
    const aim = aimed ? SERVICE_AIM : Infinity;
    const size = warm.body.length;
    const near = raws.reduce((a, b) => (Math.abs(b.size - size) < Math.abs(a.size - size) ? b : a));
    const raw = await several(near.name, false);
    console.log(
        `${name.padEnd(34)} ${String(size).padStart(7)} B  ${ms(warm.wall).padStart(9)} (processor ${ms(warm.cpu).padStart(8)}${verdict(warm.cpu, aim)})` +
            `  rested ${ms(rested.wall).padStart(9)} (${ms(rested.cpu).padStart(8)}${verdict(rested.cpu, aim)})` +
            `  raw, ${near.size} B: ${ms(raw.wall)} (${ms(raw.cpu)}), ratio ${(raw.cpu / warm.cpu).toFixed(3)}`,
    );
    return JSON.parse(warm.body);
}
async function once(name, target, aim) {
    const t = await timed(target);
    console.log(`${name.padEnd(34)} ${String(t.body.length).padStart(7)} B  ${ms(t.wall).padStart(9)} (processor ${ms(t.cpu).padStart(8)}${verdict(t.cpu, aim)})`);
    return JSON.parse(t.body);
}

console.log(`at the service (aim at most ${SERVICE_AIM} ms of processor time where others use it too); memory after the start ${megabytes("VmRSS").toFixed(1)} MB`);
{
    const from = performance.now();
    cookie = (await ask("POST", "/api/session", { passphrase })).cookie;
    console.log(`signing in: ${ms(performance.now() - from)}, which a passphrase is meant to take`);
}
await once("the first board", "/api/board", SERVICE_AIM);
const early = await once("the first search, nothing filled", "/api/search?q=quixotic", SERVICE_AIM);
console.log(`  it says ${early.total} hits${early.filling ? ", and that not everything could be searched yet" : ""}`);
// In idle moments the service fills what is searched.
const filling = performance.now();
let slowest = 0;
for (let found = early; found.filling; ) {
    await pause(250);
    const t = await timed("/api/search?q=quixotic");
    found = JSON.parse(t.body);
    slowest = Math.max(slowest, t.wall);
    if (performance.now() - filling > 300000) throw new Error("what is searched was not filled within five minutes");
}
console.log(`everything can be found ${((performance.now() - filling) / 1000).toFixed(1)} s later; the slowest search meanwhile ${ms(slowest)}`);
await pause(3000);

const raws = await files();
const board = await measure("board", "/api/board", raws);
await measure("board, ours", "/api/board?mine=1", raws);
await measure("board, closed ones too (no aim)", "/api/board?all=1", raws, false);
const one = board.columns.find((c) => c.cases.length > 0).cases[0].id;
await measure("case page", `/api/cases/${one}`, raws);
await measure("chronology", `/api/cases/${one}/chronology`, raws);
await measure("summary", `/api/cases/${one}/summary`, raws);
await measure("requests", "/api/requests?way=in&open=1", raws);
const q = (text) => `/api/search?q=${encodeURIComponent(text)}`;
for (const [what, text] of [
    ["a rare word", "quixotic"], ["a common word", "bace"], ["the beginning of a word", "sterlin"], ["two letters", "mi"], ["an NHS number", "100 003 7000"],
    ["a phrase", '"chandren gufo"'], ["a phrase of common words", '"bace cece"'], ["nothing", "zzyzx"], ["sixteen common words", "bace cece dice foce guce hace lece mice noce puce race sece tice voce wyce chance"],
])
    await measure(`search, ${what}`, q(text), raws);
await measure("duplicates of a person", "/api/duplicates?family=ce&given=ba&born=2001-02-03", raws);
await measure("performance (no aim of its own)", "/api/performance", raws, false);
await measure("session", "/api/session", raws);
await measure("contact", "/api/sync", raws);
await measure("reference", "/api/reference", raws);
const used = { now: megabytes("VmRSS"), most: megabytes("VmHWM") };

// ------------------------------------------------------------------------------------------------------- drawn in Chromium
// From the click until the frame after the rows stand in the page.
const drawn = (selector, gone) => `new Promise((resolve, reject) => {
    const from = performance.now();
    const late = setTimeout(() => reject(new Error("not drawn within 20 seconds")), 20000);
    const look = () => {
        if (!document.querySelector(${JSON.stringify(selector)}) || ${gone ? `document.querySelector(${JSON.stringify(gone)})` : "false"}) return requestAnimationFrame(look);
        clearTimeout(late);
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - from), 0));
    };
    window.spokeBenchGo();
    look();
})`;
async function draw(page, session, name, { before, click, selector, gone }) {
    const wall = [], script = [], service = [];
    for (let i = 0; i < REPEATS; i++) {
        await before(i);
        await pause(CLOSED_MS);
        const cpu = busy();
        const { metrics: a } = await session.send("Performance.getMetrics");
        await page.evaluate(click.fn, typeof click.arg === "function" ? click.arg(i) : click.arg);
        wall.push(await page.evaluate(drawn(selector, gone)));
        const { metrics: b } = await session.send("Performance.getMetrics");
        const of = (m) => m.find((x) => x.name === "TaskDuration").value * 1000;
        script.push(of(b) - of(a));
        service.push(busy() - cpu);
    }
    console.log(`${name.padEnd(34)} drawn after ${ms(middle(wall))}${verdict(middle(wall), DRAWN_AIM)}, least ${ms(Math.min(...wall))}; processor: page ${ms(middle(script))}, service ${ms(middle(service))}`);
}
async function inBrowser() {
    const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const browser = await chromium.launch({ executablePath: process.env.SPOKE_CHROMIUM, headless: true, args: ["--disable-gpu", "--disable-dev-shm-usage", ...asRoot] });
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB" })).newPage();
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(`${url}/`);
    await page.getByRole("textbox", { name: "Your passphrase" }).fill(passphrase);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("navigation", { name: "Menu" }).waitFor();
    const link = (name) => ({ fn: (n) => { window.spokeBenchGo = () => [...document.querySelectorAll("nav a")].find((a) => a.textContent.trim().startsWith(n)).click(); }, arg: name });
    const searchPage = async () => {
        await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Search" }).click();
        await page.getByRole("textbox", { name: "What do you look for?" }).waitFor();
    };
    const boardPage = async () => {
        await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Board" }).click();
        await page.locator(".spoke-board__card").first().waitFor();
    };
    console.log(`drawn in Chromium, the replica closed before each click (aim at most ${DRAWN_AIM} ms)`);
    await draw(page, session, "board", { before: searchPage, click: link("Board"), selector: ".spoke-board__card" });
    await draw(page, session, "case page", {
        before: boardPage, selector: "main .moj-identity-bar, main [class*=identity]", gone: ".spoke-board",
        click: { fn: (i) => { window.spokeBenchGo = () => document.querySelectorAll(".spoke-board__reference a")[i].click(); }, arg: (i) => i },
    });
    for (const [what, text] of [["a common word", "bace"], ["a rare word", "quixotic"]]) {
        await draw(page, session, `search, ${what}`, {
            before: async () => {
                await boardPage();
                await searchPage();
                // The page remembers what was found last: look for something that is not here first.
                const box = page.getByRole("textbox", { name: "What do you look for?" });
                await box.fill("zqzqzqzq");
                await page.getByRole("button", { name: "Search this device" }).click();
                await page.getByText("Nothing here has").waitFor();
                await box.fill(text);
            },
            selector: "main .spoke-cards li",
            click: { fn: () => { window.spokeBenchGo = () => document.querySelector("main form button").click(); } },
        });
    }
    // A window that is opened, with nothing in the browser's own store.
    const opened = [];
    for (let i = 0; i < REPEATS; i++) {
        await page.goto("about:blank");
        await pause(CLOSED_MS);
        await session.send("Network.clearBrowserCache");
        const from = performance.now();
        await page.goto(`${url}/`, { waitUntil: "commit" });
        await page.locator(".spoke-board__card").first().waitFor();
        opened.push(performance.now() - from);
    }
    console.log(`${"a new window, with its board".padEnd(34)} drawn after ${ms(middle(opened))} (script and style fetched anew; no aim of its own)`);
    await browser.close();
}
if (process.env.SPOKE_CHROMIUM) await inBrowser();

// ----------------------------------------------------------------------------------------------------------------- memory
await pause(60000);
const idle = megabytes("VmRSS");
console.log(`memory of the service: after the answers ${used.now.toFixed(1)} MB (at most ${used.most.toFixed(1)} MB), idle for a minute and signed in ${idle.toFixed(1)} MB (aim ${MEMORY_AIM} MB)${verdict(idle, MEMORY_AIM)}`);
console.log(`locked into memory ${megabytes("VmLck").toFixed(1)} MB; of its own ${megabytes("RssAnon").toFixed(1)} MB, of files ${megabytes("RssFile").toFixed(1)} MB; home ${(fs.statSync(path.join(home, "replica.db")).size / 1e6).toFixed(0)} MB`);
service.kill("SIGTERM");
await new Promise((resolve) => service.once("exit", resolve));
process.exit(0);
