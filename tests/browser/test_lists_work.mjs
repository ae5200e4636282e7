/* What wants a decision: two versions side by side, and work that is not accepted yet; by the manager at the MASH, and as a
 * partner sees it. Whatever people wrote is shown as text. */
import { HOSTILE, sent } from "./case_story.mjs";
import { CONTACT, run } from "./harness.mjs";
import { aCase } from "./story.mjs";

const menu = (page) => page.getByRole("navigation", { name: "Menu" });
const card = (page, heading) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 2, name: heading }) });
const done = (page, text) => page.getByRole("alert").filter({ hasText: text }).first().waitFor();
const BIDI = "\u202eevil\u2066\u200b\u200dMoss";
const LONG = "Long".repeat(2500);

// A window in which nothing that somebody wrote may run: what it would do is open a dialog.
async function openQuiet(t, w, site, path) {
    const page = await t.open(await w.serve(site), { path });
    page.on("dialog", (d) => t.ok("nothing that somebody wrote runs", false, d.message()));
    await t.signIn(page, w.passphrase(site));
    return page;
}

await run("lists_work", async (t, w) => {
    const c = await story(w);
    const partner = await openQuiet(t, w, "probation", "/held");
    await partnerHeld(t, partner, c);
    const page = await openQuiet(t, w, "mash", "/conflicts");
    await versions(t, page, c);
    await settle(t, w, page, c);
    await held(t, w, page, c);
    await outcome(t, w, partner, c);
});

/* A child whose name, birth date and number two agencies wrote differently, offline, and three changes by an agency that may
 * not make them by itself. */
async function story(w) {
    const c = await aCase(w, { rag: "red" });
    const amber = await aCase(w, { rag: "amber", family: "Pike", given: "Noor" });
    for (const agency of ["probation", "health"])
        for (const of of [c, amber]) await w.node("mash", "case", "share", of.reference, agency, "--access", "contribute", "--basis", "Working Together 2023");
    await w.inStep();
    await w.node("probation", "person", "set", c.person, "given_names=Elle", "born_on=2015-02-13", `family_name=${HOSTILE}`);
    await w.node("health", "person", "set", c.person, "given_names=Isabella", "born_on=2015-12-03", `family_name=${BIDI} ${LONG}`);
    await w.node("probation", "case", "set", c.reference, "status=decided");
    await w.node("probation", "case", "set", amber.reference, `summary=${HOSTILE}`);
    await w.node("probation", "case", "set", amber.reference, "status=ready");
    await w.inStep();
    return { ...c, amber: amber.reference };
}

// ------------------------------------------------------------------------------------------------- two versions
async function versions(t, page, c) {
    await t.heading(page, "Two versions");
    await t.claim("every place with two versions is listed and counted", async () => {
        await t.sees(page, "3 places with two versions to be decided");
    });
    await t.claim("both versions stand side by side, each with who wrote it, where and when, and when they were found", async () => {
        await t.reads(card(page, /^Date of birth of the person/),
            "13 Feb 2015", "3 Dec 2015", "Jo Reed, Probation office, Probation service", "Mina Shah, Health clinic, Community health",
            /(Written today at \d\d:\d\d[^]*){2}/, /Found\s+Today at \d\d:\d\d/, "Stands for now", c.reference);
    });
    await t.claim("of a red case it says that the manager is to be told now", () => card(page, /^Given names of the person/).getByText("Tell the area’s manager now.").waitFor());
    await t.claim("hostile text in a version is shown as text", async () => {
        await card(page, /^Family name of the person/).getByText(HOSTILE, { exact: true }).first().waitFor();
    });
    await asText(t, page, "two versions");
    await t.claim("text that runs the other way turns nothing else around", async () => {
        const turned = await page.getByText(LONG).first().evaluate((e) => getComputedStyle(e).unicodeBidi);
        if (!/isolate|plaintext/.test(turned)) throw new Error(turned);
    });
    await t.look(page, "two-versions");
}
async function asText(t, page, name) {
    await t.claim(`${name}: nothing that somebody wrote became markup`, () => t.absent(page.locator("main img, main script")));
}

// As a device gets it whose hub kept no such times when it found the two versions.
async function timeless(t, page) {
    const routes = "**/api/conflicts?*";
    await page.route(routes, async (route) => {
        const response = await route.fetch();
        const json = await response.json();
        for (const one of json.conflicts) one.lost_at = null;
        await route.fulfill({ response, json });
    });
    await t.tick(page, "Show those that are decided or settled too");
    await page.getByText("When it was written is not known", { exact: true }).first().waitFor();
    await page.getByText(/^Written today at \d\d:\d\d$/).first().waitFor();
    await page.unroute(routes);
    await t.tick(page, "Show those that are decided or settled too", false);
}

async function settle(t, w, page, c) {
    const given = () => card(page, /^Given names of the person/);
    await t.claim("nothing chosen and no reason: both are said, and each line leads to its field", async () => {
        await t.button(page, /^Settle it/, { within: given() });
        await given().getByRole("link", { name: "Choose what is to stand" }).waitFor();
        await t.focused(page, ".govuk-error-summary");
        await given().getByRole("link", { name: "Say why, for whoever reads this later" }).click();
        await t.focused(page, "textarea");
    });
    await t.look(page, "two-versions-missing");
    await t.claim("the other version can be kept, with a reason", async () => {
        await given().getByRole("radio").nth(1).check();
        await t.fill(page, "Why", "School register seen", { within: given() });
        await t.button(page, /^Settle it/, { within: given() });
        await done(page, `Settled: given names of the person, case ${c.reference}`);
        await t.sees(page, "2 places with two versions to be decided");
    });
    const born = () => card(page, /^Date of birth of the person/);
    await t.claim("neither: what is right is asked for as a date, and nonsense is refused in words", async () => {
        await t.choose(page, "Neither: I write what is right", { within: born() });
        for (const [part, value] of [["Day", "31"], ["Month", "2"], ["Year", "2015"]]) await t.fill(page, part, value, { within: born(), exact: true });
        await t.fill(page, "Why", "Birth certificate seen", { within: born() });
        await t.button(page, /^Settle it/, { within: born() });
        await born().getByRole("link", { name: /must be a real date/ }).waitFor();
    });
    await t.claim("and what is right stands", async () => {
        for (const [part, value] of [["Day", "3"], ["Month", "2"]]) await t.fill(page, part, value, { within: born(), exact: true });
        await t.button(page, /^Settle it/, { within: born() });
        await done(page, "Settled: date of birth of the person");
    });
    await t.claim("the one that stands can be kept", async () => {
        const family = card(page, /^Family name of the person/);
        await t.choose(page, /, one version$/, { within: family });
        await t.fill(page, "Why", HOSTILE, { within: family });
        await t.button(page, /^Settle it/, { within: family });
        await done(page, "Settled: family name of the person");
        await t.sees(page, "Nothing waits to be decided.");
    });
    await t.claim("where it is not known when a version was written, it says so", () => timeless(t, page));
    await t.claim("what was settled can be read again, with who, when and why", async () => {
        await t.tick(page, "Show those that are decided or settled too");
        await t.reads(born(), "Sam Okafor", "Birth certificate seen", "3 Feb 2015", "Settled");
        await page.getByText(HOSTILE, { exact: true }).first().waitFor();
    });
    await asText(t, page, "settled versions");
    await t.look(page, "two-versions-settled");
    await sent(page);
    const [person] = await w.arrives("health", `select given_names, born_on from person where id = x'${c.person.replaceAll("-", "")}'`, (rows) => rows[0]?.born_on === "2015-02-03");
    t.equal("and it stands at the other agency too", "2015-02-03", person?.born_on);
}

// --------------------------------------------------------------------------------------------- not accepted yet
async function partnerHeld(t, partner, c) {
    await t.heading(partner, "Not accepted yet");
    await t.claim("the partner sees what it wrote that is not accepted, why, and who decides", async () => {
        await t.sees(partner, "3 changes to be decided");
        await t.reads(card(partner, c.reference).first(), "Jo Reed, Probation service (this place)", "Why it is not accepted", "status “Decided”",
            "The manager of the area decides, at the MASH.", "Waits for a decision");
    });
    await t.claim("and cannot decide it itself", () => t.absent(partner.getByRole("button", { name: /^(Accept|Dismiss) it/ })));
    await asText(t, partner, "the partner's list");
    await t.look(partner, "held-partner");
}

async function held(t, w, page, c) {
    await t.link(page, "Not accepted yet", { exact: true, within: menu(page) });
    await t.heading(page, "Not accepted yet");
    await t.claim("the manager sees each change, the red case's first, with what it would do", async () => {
        await t.sees(page, "3 changes to be decided");
        await t.reads(page.getByRole("heading", { level: 2 }).first(), c.reference, /Red/);
        await page.getByText(HOSTILE, { exact: true }).first().waitFor();
    });
    await asText(t, page, "what is held");
    await t.look(page, "held");
    await t.claim("dismissing wants a reason, which its author will read", async () => {
        const one = card(page, c.amber).filter({ hasText: "summary" });
        await t.button(page, /^Dismiss it/, { within: one });
        await one.getByRole("link", { name: "Say why: its author will read it" }).waitFor();
        await t.fill(page, "Why", `Recorded already ${HOSTILE}`, { within: one });
        await t.button(page, /^Dismiss it/, { within: one });
        await done(page, "Dismissed. Its author reads why.");
        await t.sees(page, "2 changes to be decided");
    });
    await t.claim("accepting needs nothing but the button", async () => {
        await t.button(page, /^Accept it/, { within: card(page, c.reference) });
        await done(page, "Accepted. It takes effect with the next contact.");
        await t.sees(page, "1 change to be decided");
    });
    await sent(page);
    const rows = await w.arrives("health", `select status from case_file where reference = '${c.reference}'`, (found) => found[0]?.status === "decided");
    t.equal("what was accepted takes effect, at the other agency too", "decided", rows[0]?.status);
}

async function outcome(t, w, partner, c) {
    await t.claim("the partner reads what became of it and why, without asking anybody", async () => {
        await t.tick(partner, "Show those that are decided too");
        await partner.getByText("Accepted", { exact: true }).waitFor({ timeout: CONTACT });
        const one = card(partner, c.amber).filter({ hasText: "Dismissed" });
        await one.getByText(/Today at \d\d:\d\d by Sam Okafor/).waitFor();
        await one.getByText(`Recorded already ${HOSTILE}`).waitFor();
    });
    await asText(t, partner, "what became of it");
    await t.look(partner, "held-outcome");
}
