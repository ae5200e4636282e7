/* Ten windows of one browser, which makes six connections to one host: all hear news by one stream, whichever of them goes.
 * What becomes of the others when somebody signs out, signs in anew, or somebody else signs in; and of a browser without locks. */
import fs from "node:fs";
import { run } from "./harness.mjs";
import { aCase, ask } from "./story.mjs";

const WINDOWS = 10;
const JO = "Jo Reed";
const INES = "Ines Vaughan";
const QUESTION = "Asked of your agency";

await run(
    "windows",
    async (t, w) => {
        await w.stopHub();
        await w.hub("practitioner", "add", "probation", INES, "--role", "Probation officer");
        await w.startHub();
        const of = await aCase(w);
        // A question that the MASH asks while the windows are open.
        const asks = async (text) => {
            await ask(w, of, "probation", text);
            await w.json("mash", "sync");
        };
        await asks("Do you know this address?");
        await w.inStep();
        fs.writeFileSync(w.secret("ines"), "ines keeps seven good words for herself\n");
        await w.node("probation", "user", "add", INES, "--new-passphrase-file", w.secret("ines"));
        const url = await w.serve("probation");
        const jo = w.passphrase("probation");

        const first = await t.open(url, { path: "/requests/in" });
        await t.signIn(first, jo);
        const pages = await more(t, first.context(), url);
        const left = await share(t, pages, asks);
        await whatIsTold(t, left);
        await t.claim("signing out in one window takes what is open from all of them", async () => {
            await t.button(left[2], "Sign out");
            await all(left, (page) => t.heading(page, "Sign in"));
        });
        await signedInAnew(t, left, asks, jo);
        await somebodyElse(t, left, asks, w.passphrase("ines"));
        await t.claim("spoke lock takes what is open from every window", async () => {
            await w.node("probation", "lock");
            await all(left, (page) => t.heading(page, "Sign in"));
        });
        await first.context().close();
        await withoutLocks(t, url, asks, jo);
    },
    { sites: ["mash", "probation"] },
);

function all(pages, fn) {
    return Promise.all(pages.map(fn));
}
function show(t, pages, text) {
    return all(pages, (page) => t.sees(page, text));
}

// Which windows ask the service for events from now on.
function streams(pages) {
    const found = new Set();
    for (const page of pages)
        page.on("request", (r) => {
            if (new URL(r.url()).pathname === "/api/events") found.add(page);
        });
    return found;
}

async function more(t, context, url) {
    await t.claim(`${WINDOWS} windows of one browser come up, each with its page`, async () => {
        while (context.pages().length < WINDOWS) t.watch(await context.newPage(), url);
        await all(context.pages().slice(1), (page) => page.goto(`${url}/requests/in`));
        await all(context.pages(), (page) => t.heading(page, QUESTION));
    });
    return context.pages();
}

async function share(t, pages, asks) {
    const listening = streams(pages);
    await t.claim("a question that comes is on all of them, without a click", async () => {
        await asks("Is the father on licence?");
        await show(t, pages, "Is the father on licence?");
    });
    // Whoever keeps it asks again after each event.
    await t.claim("one window of the ten keeps a connection for it", () => t.until(() => listening.size, (n) => n === 1));
    const [keeper] = listening;
    const left = pages.filter((page) => page !== keeper);
    await t.claim("that one is closed: the next question is on all the others", async () => {
        await keeper.close();
        await asks("May he be in the house?");
        await show(t, left, "May he be in the house?");
    });
    // Whoever had kept one besides would have asked again at the first question.
    await t.claim("and one of those keeps the connection from then on", () => t.until(() => listening.size, (n) => n === 2));
    return left;
}

// What the windows of a session say to each other, heard by one more.
async function whatIsTold(t, [page, other]) {
    await t.claim("what windows tell each other is a number, and nothing of what happened", async () => {
        const cookies = await page.context().cookies();
        const name = await page.evaluate(async () => {
            const { stream } = await (await fetch("/api/session")).json();
            globalThis.heard = [];
            new BroadcastChannel(`spoke-${stream}`).onmessage = (e) => globalThis.heard.push(e.data);
            return stream;
        });
        if (cookies.some((c) => c.value.includes(name))) throw new Error("the name is a part of what opens the session");
        await t.link(other, "Contact", { exact: true, within: other.getByRole("navigation", { name: "Menu" }) });
        await t.button(other, "Contact the MASH now");
        await page.waitForFunction(() => globalThis.heard.length > 0);
        const heard = await page.evaluate(() => globalThis.heard);
        if (!heard.every((n) => Number.isInteger(n))) throw new Error(JSON.stringify(heard));
        await other.goBack();
        await t.heading(other, QUESTION);
    });
    const status = await page.evaluate(async () => (await fetch("/api/events?of=0123456789abcdef&after=1")).status);
    t.equal("a window of another session is told no events, though the browser sends the cookie of this one", 401, status);
}

// The sign-in stands in all windows, and one after the other is used: each makes a session, which ends the one before.
async function signedInAnew(t, left, asks, jo) {
    const two = left.slice(0, 2);
    for (const page of two) {
        await t.signIn(page, jo);
        await t.heading(page, QUESTION);
    }
    await t.claim("where somebody signs in in two windows, one after the other, both hear what comes", async () => {
        await asks("Who else lives there?");
        await show(t, two, "Who else lives there?");
    });
    const listening = streams(two); // both have come over to the new session
    await asks("Since when?");
    await show(t, two, "Since when?");
    await t.claim("and by one stream", () => t.until(() => listening.size, (n) => n === 1));
    await t.claim("and both are still signed in", () => show(t, two, JO));
    t.equal("by that stream still", 1, listening.size);
}

async function somebodyElse(t, left, asks, words) {
    const [one, two, three] = left;
    await t.claim("where somebody else signs in in a third window, nothing that was open stays in the others", async () => {
        await t.signIn(three, words);
        await all([one, two], (page) => t.heading(page, "Sign in"));
        await show(t, [one, two], "You were signed out");
        await t.sees(three, INES);
    });
    await t.claim("news reaches the one who is signed in, and is not asked for by the others", async () => {
        const listening = streams([one, two]);
        await asks("Has he a car?");
        await t.heading(three, QUESTION);
        await t.sees(three, "Has he a car?");
        if (listening.size) throw new Error("a window that shows the sign-in asks for events");
        for (const page of [one, two]) await t.silent(page.locator("body"), /Has he a car\?/);
    });
}

async function withoutLocks(t, url, asks, jo) {
    const page = await t.open(url, { path: "/requests/in" });
    const context = page.context();
    await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
    await page.reload();
    await t.signIn(page, jo);
    await t.heading(page, QUESTION);
    await t.claim("a browser without locks hears news too", async () => {
        await asks("Is there a dog?");
        await t.sees(page, "Is there a dog?");
    });
    const hide = (hidden) =>
        page.evaluate((value) => {
            Object.defineProperty(document, "hidden", { value, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }, hidden);
    await t.claim("there a window that is not seen keeps no connection, and hears what it missed when it is seen again", async () => {
        const seen = await context.newPage(); // which hears it, so that the other one would have
        t.watch(seen, url);
        await seen.goto(`${url}/requests/in`);
        await t.sees(seen, "Is there a dog?");
        await hide(true);
        const listening = streams([page, seen]);
        await asks("Is it large?");
        await t.sees(seen, "Is it large?");
        await t.until(() => listening.has(seen), (again) => again);
        if (listening.has(page)) throw new Error("it listens all the same");
        await t.absent(page.getByText("Is it large?"));
        await seen.close();
        await hide(false);
        await t.sees(page, "Is it large?");
    });
}
