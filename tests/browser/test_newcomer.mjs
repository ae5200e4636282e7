/* A person who has never seen Spoke, at the probation office of the demo: signs in, finds the reddest case, answers what is
 * asked about it, marks the answer sensitive, and sees it leave. Each step goes by words that stand on the page, and before
 * each the words that a person needs are there. SPOKE_DEMO_DIR: a finished demo, whose printed address is taken then;
 * otherwise the same story in a small world, where the MASH cannot be reached until the answer is written. */
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { contactNow } from "./case_story.mjs";
import { CONTACT, run } from "./harness.mjs";
import { root } from "./packages.mjs";
import { aCase, ask } from "./story.mjs";

const demo = process.env.SPOKE_DEMO_DIR;
const QUESTION = "What do you know of Kyle Hurst, and of how the children were when you last saw them?";
const TEXT = "He is on licence for violence, and may not live with children.";

await run("newcomer", async (t, w) => (demo ? inTheDemo(t) : inTheSmall(t, w)), { sites: demo ? [] : ["mash", "probation", "health"] });

// ------------------------------------------------------------------------------------------- where it takes place
// The line that the demo prints: address, who, passphrase.
async function printed(child) {
    for await (const line of readline.createInterface({ input: child.stdout })) {
        const found = line.match(/(http:\S+) +Jo Reed, probation officer +passphrase: (\S+)/);
        if (found) return { url: found[1], passphrase: found[2] };
    }
    throw new Error("the demo printed no address of probation");
}
async function answers(url) {
    for (const end = Date.now() + CONTACT; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100)))
        if (await fetch(url).then((r) => r.ok, () => false)) return;
    throw new Error(`nobody answers at ${url}`);
}
async function inTheDemo(t) {
    const child = spawn(path.join(root, "packaging/demo-run"), ["--serve"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
        const at = await printed(child);
        child.stdout.resume();
        await answers(at.url);
        const page = await t.open(at.url);
        const reference = await journey(t, page, at.passphrase);
        await leaves(t, page, reference);
    } finally {
        child.kill("SIGTERM");
        await ended;
    }
}

async function inTheSmall(t, w) {
    const red = await aCase(w, { family: "Marsh", given: "Ellie", born: "2018-05-04", summary: "Ellie, 7, came to school with a bruise." });
    const amber = await aCase(w, { rag: "amber", family: "Pike", given: "Noor" });
    await aCase(w, { rag: "green", family: "Frost", given: "Tom" });
    for (const agency of ["probation", "health"])
        await w.node("mash", "case", "share", red.reference, agency, "--access", "contribute", "--basis", "Working Together");
    await ask(w, amber, "probation", "Is either parent known to you?");
    await ask(w, red, "probation", QUESTION);
    await w.inStep();
    await w.stopHub();
    const page = await t.open(await w.serve("probation"));
    const reference = await journey(t, page, w.passphrase("probation"));
    t.equal("the reddest case is the one that the MASH rated red", red.reference, reference);
    await t.claim("offline, the page says that the answer is held only here, and is sent when there is contact", async () => {
        const bar = page.getByRole("region", { name: "Contact with the MASH" });
        await bar.getByText("Offline", { exact: true }).waitFor();
        await bar.getByText(/^\d changes? held only on this device/).waitFor();
        await t.sees(page, "It is saved on this device and goes to the MASH with the next contact.");
    });
    await w.startHub();
    await contactNow(t, page);
    await leaves(t, page, reference);
    const at = await w.arrives("mash", `select q.result, r.title, r.sensitivity from request q join record r on r.case_id = q.case_id where q.state = 'answered' and r.agency = q.to_agency`);
    t.equal("the MASH has the answer, marked sensitive", "known Licence conditions sensitive", at.map((r) => `${r.result} ${r.title} ${r.sensitivity}`).join());
    await w.json("health", "sync");
    t.equal("the third agency, which takes part too, does not", 0, (await w.sql("health", "select id from record")).length);
}

// --------------------------------------------------------------------------------------------------- what they do
async function journey(t, page, passphrase) {
    await t.claim("the address shows where to sign in, with which passphrase", async () => {
        await t.heading(page, "Sign in");
        await t.sees(page, "Your passphrase");
        await t.signIn(page, passphrase);
    });
    await t.claim("the board says what it is for, who one is, and whether the MASH can be reached", async () => {
        await t.heading(page, "Board");
        await t.sees(page, /Jo Reed, Probation office/);
        await page.getByText("What is this page for?").click();
        await page.getByRole("group").getByText(/case/i).first().waitFor();
    });
    const reference = await reddest(t, page);
    await answer(t, page);
    return reference;
}

async function reddest(t, page) {
    let reference = null;
    await t.claim("the first case that asks for one's answer says “Red”, and until when", async () => {
        const link = page.getByRole("link", { name: /^Your agency is asked: answer about/ }).first();
        await link.waitFor();
        reference = (await link.innerText()).match(/C-\w+/)[0];
        const card = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: reference, exact: true }) }).first();
        await card.getByText(/^Red/).first().waitFor();
        await card.getByText(/Answers: .*(left|overdue)/).waitFor();
        await link.click();
    });
    await t.claim("the case says what is asked, of whom, and how to answer", async () => {
        await page.getByRole("navigation", { name: "Parts of this case" }).waitFor();
        await t.sees(page, "asks your agency");
        await t.sees(page, QUESTION);
        await t.link(page, "Answer this question");
    });
    return reference;
}

async function answer(t, page) {
    await t.claim("the form repeats the question, and asks what is known in words", async () => {
        await t.sees(page, QUESTION);
        await t.sees(page, "What do you know?");
        await t.choose(page, "Known to us", { exact: true });
        await t.fill(page, "Title", "Licence conditions");
        await t.fill(page, "What it means", TEXT);
    });
    await t.claim("beside “Sensitive” it says who will see the answer", async () => {
        await t.choose(page, "Sensitive: your agency and the MASH");
        await t.sees(page, "Other agencies have to ask you. You decide each time whether they are told, and how much.");
    });
    await t.look(page, "answer");
    await t.claim("sending it says what was done", async () => {
        await t.button(page, /^Send/);
        await page.getByRole("alert").filter({ hasText: /is answered/ }).first().waitFor();
    });
}

async function leaves(t, page, reference) {
    await t.claim("online, one sees it leave: nothing is held only on this device", async () => {
        const bar = page.getByRole("region", { name: "Contact with the MASH" });
        await bar.getByText("Online", { exact: true }).waitFor({ timeout: CONTACT });
        await bar.getByText("Nothing is held only on this device").waitFor({ timeout: CONTACT });
    });
    await t.claim("the list of changes says that the MASH has taken it in", async () => {
        await t.link(page, "Contact", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
        await t.heading(page, "Contact with the MASH");
        const row = page.getByRole("row").filter({ hasText: "Answered a request" }).filter({ hasText: reference }).first();
        await row.getByText("Taken in").waitFor();
    });
    await t.look(page, "left");
    await t.claim("and the case shows the answer, as sensitive", async () => {
        await page.getByRole("row").filter({ hasText: "Answered a request" }).getByRole("link", { name: reference }).first().click();
        await t.link(page, /^Chronology/, { within: page.getByRole("navigation", { name: "Parts of this case" }) });
        await t.sees(page, TEXT);
        await page.getByRole("listitem").filter({ hasText: TEXT }).getByText(/^Sensitive/).first().waitFor();
    });
    await t.look(page, "chronology");
}
