/* Finding, looking back, counting: search of everything on the device, the log of the six acts, the figures; one page by
 * keyboard alone; and whatever is typed into a search, found and shown as text. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { HOSTILE } from "./case_story.mjs";
import { CONTACT, run } from "./harness.mjs";
import { root } from "./packages.mjs";
import { aCase, ask, move } from "./story.mjs";

const menu = (page) => page.getByRole("navigation", { name: "Menu" });
const FORMULA = "=HYPERLINK(\"http://evil.example\")";
const BIDI = "\u202etxet\u2066\u200b";

const KINDS = { collection: "written down", alteration: "changed", consultation: "looked", disclosure: "told", combination: "put together" };
const entries = (page) => page.getByRole("region", { name: "What was done" }).getByRole("row");

await run(
    "lists_find",
    async (t, w) => {
        const c = await story(w);
        const page = await openQuiet(t, w, "mash", "/search");
        await search(t, page, c);
        await hostile(t, page);
        await keyboard(t, page, c);
        await audit(t, page, c);
        await performance(t, page);
        const partner = await openQuiet(t, w, "probation", "/audit");
        await erased(t, partner, c);
        await whoOpened(t, w, partner, c);
    },
    { sites: ["mash", "probation"] },
);

// A window in which nothing that somebody wrote may run: what it would do is open a dialog.
async function openQuiet(t, w, site, at) {
    const page = await t.open(await w.serve(site), { path: at });
    page.on("dialog", (d) => t.ok("nothing that somebody wrote runs", false, d.message()));
    await t.signIn(page, w.passphrase(site));
    return page;
}
async function to(t, page, name) {
    await t.link(page, name, { exact: true, within: menu(page) });
    await t.heading(page, name);
}

async function story(w) {
    const red = await aCase(w, { summary: "A bruise, seen at Ysgol Dyffryn", family: "Gwyn-Łuczak", given: "Zoë" });
    const taken = await aCase(w, { rag: "green", family: "Lane", given: "Ivy" });
    const odd = await aCase(w, { rag: "amber", family: HOSTILE, given: BIDI, summary: `${HOSTILE} ${"endless".repeat(1400)}` });
    await w.node("mash", "person", "set", red.person, "nhs=9434765919", "sex=2");
    await w.node("mash", "contact", "add", red.person, "phone", "01632 960144", "--note", FORMULA);
    for (const c of [red, taken]) await w.node("mash", "case", "share", c.reference, "probation", "--access", "contribute", "--basis", "Working Together 2023");
    const late = await ask(w, red, "probation", "What do you know?");
    await ask(w, taken, "probation", "And of this one?");
    await w.inStep();
    const text = w.file("Termination was discussed alone");
    await w.node("probation", "record", "add", red.reference, "--kind", "visit", "--title", "Clinic visit", "--body-file", text, "--sensitivity", "sensitive");
    const answered = await w.sql("probation", "select q.id from request q join case_file c on c.id = q.case_id where c.rag = 'green'");
    await w.node("probation", "request", "answer", answered[0].id, "--result", "not_known");
    await move(w, "mash", "request", late, "due_at", -200);
    await w.inStep();
    await w.node("mash", "case", "unshare", taken.reference, "probation");
    await w.node("mash", "decide", taken.reference, "--decision", "Advice given", "--outcome", "NFA", "--rag", "blue", "--reason", "No worry is left");
    await w.node("mash", "import", "cin", fewChildren(w), "--area", "north");
    await w.inStep();
    return { ...red, taken, odd };
}
// The first three children of the demo's made-up return.
function fewChildren(w) {
    const all = execFileSync(path.join(root, "packaging/sample/make-census"), { encoding: "utf8" }).split("</Child>");
    return w.file([...all.slice(0, 3), all.at(-1)].join("</Child>"));
}

// ------------------------------------------------------------------------------------------------------- search
async function find(t, page, words) {
    await t.fill(page, "What do you look for?", words);
    const answered = page.waitForResponse((r) => new URL(r.url()).pathname === "/api/search" && new URL(r.url()).searchParams.get("q") === words.trim());
    await t.button(page, "Search this device");
    const status = (await answered).status();
    // What was found before has gone by now: while other words are looked for the page says that it does so.
    if (status === 200) await page.getByRole("status").filter({ hasText: /\d+ places? found|Nothing here has/ }).first().waitFor();
    else await page.getByRole("alert").filter({ hasText: /.{30}/ }).first().waitFor();
    return page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 2 }) });
}
async function search(t, page, c) {
    await t.heading(page, "Search");
    await t.claim("nothing typed: it says what is missing", async () => {
        await t.button(page, "Search this device");
        await page.getByRole("alert").getByRole("link", { name: "Type what you look for" }).waitFor();
    });
    for (const [what, words] of [
        ["a name, without its accents", "zoe luczak"],
        ["words in any order, from several places of one case", "dyffryn gwyn bruise"],
        ["the beginning of a word", "bruise gw"],
        ["an NHS number with spaces", "943 476 5919"],
        ["and without", "9434765919"],
        ["a telephone number written otherwise", "01632960144"],
        ["a reference", c.reference],
    ])
        await t.claim(`search finds ${what}`, async () => {
            await (await find(t, page, words)).getByRole("link", { name: c.reference }).first().waitFor();
        });
    await t.claim("the same words once more are looked for once more", async () => {
        await find(t, page, c.reference);
        await page.getByRole("listitem").getByRole("link", { name: c.reference }).first().waitFor();
    });
    await t.claim("words that stand nowhere are said to be nowhere", async () => {
        await find(t, page, "zzyzx");
        await t.sees(page, "Nothing here has “zzyzx” in it.");
    });
    await t.claim("a sensitive text is found, and not shown", async () => {
        const hits = await find(t, page, "termination");
        await hits.getByText(/Its text is sensitive: open the case to read it\. It is of .+; that you found it is noted\./).waitFor();
        await t.silent(page.locator("main"), /discussed/);
    });
    await t.look(page, "search-sensitive");
    await t.claim("where it was found leads to where it can be read", async () => {
        await t.link(page, c.reference, { within: page.locator("main") });
        await t.sees(page, "Termination was discussed alone");
        await page.goBack();
        await t.heading(page, "Search");
    });
    await t.claim("the words around what was found are shown, with the word marked", async () => {
        await (await find(t, page, "ysgol")).getByText("A bruise, seen at Ysgol Dyffryn").first().waitFor();
        await t.reads(page.locator("mark").first(), /^Ysgol$/);
    });
    await t.look(page, "search");
    await t.claim("what was searched stands in the address, and Back leads to it", async () => {
        await t.link(page, c.reference);
        await page.getByRole("navigation", { name: "Parts of this case" }).waitFor();
        await page.goBack();
        await t.heading(page, "Search");
        await t.value(page.getByRole("textbox", { name: "What do you look for?" }), "ysgol");
    });
}

async function hostile(t, page) {
    await t.claim("ten thousand letters are too much, and that is said beside the field", async () => {
        await t.fill(page, "What do you look for?", "a".repeat(10000));
        await t.button(page, "Search this device");
        await page.getByRole("alert").getByRole("link", { name: /^Use fewer words/ }).waitFor();
    });
    for (const words of [HOSTILE, "\"'*) OR 1=1; drop table case_file --", "NEAR(a b) AND NOT", "100% _ \\", BIDI, "a ".repeat(60), "\"".repeat(50)])
        await t.claim(`a search for ${[...words].slice(0, 24).join("")}… breaks nothing, and is answered in words`, async () => {
            await find(t, page, words);
            await t.absent(page.locator("main img, main script"));
        });
    await t.claim("hostile text that somebody wrote is found and shown as text", async () => {
        await find(t, page, "alert onerror");
        await page.getByText("<script>alert(2)</script>").first().waitFor();
        await page.getByText(`about ${BIDI}`).or(page.getByText("A person")).first().waitFor();
    });
    await t.look(page, "search-hostile");
}

// ----------------------------------------------------------------------------------------------------- keyboard
// Tab until the focus is on what has this role and name, as a screen reader would say it.
async function tabTo(page, role, name, { most = 60 } = {}) {
    const wanted = page.getByRole(role, { name });
    for (let i = 0; i < most; i++) {
        await page.keyboard.press("Tab");
        for (const one of await wanted.all()) if (await one.evaluate((e) => e === document.activeElement)) return one;
    }
    throw new Error(`the Tab key does not lead to the ${role} “${name}”`);
}
async function keyboard(t, page, c) {
    await t.claim("by keyboard alone: a search, and the case that was found", async () => {
        await page.reload();
        await t.heading(page, "Search");
        await page.waitForFunction(() => document.activeElement?.tagName === "H1");
        await tabTo(page, "textbox", "What do you look for?", { most: 4 });
        await page.keyboard.press("Control+A");
        await page.keyboard.type("dyffryn");
        await page.keyboard.press("Enter");
        await page.getByRole("link", { name: c.reference }).first().waitFor();
        const link = await tabTo(page, "link", c.reference, { most: 6 });
        const ring = await link.evaluate((e) => getComputedStyle(e).outlineStyle !== "none" || getComputedStyle(e).boxShadow !== "none");
        if (!ring) throw new Error("one cannot see where the focus is");
        await page.keyboard.press("Enter");
        await page.getByRole("navigation", { name: "Parts of this case" }).waitFor();
    });
    await t.claim("the first step of all leads past the menu", async () => {
        await tabTo(page, "link", "Skip to main content", { most: 150 });
        await page.keyboard.press("Enter");
        await t.focused(page, "main");
    });
    await t.claim("and back: the heading takes the focus, so that a screen reader says where one is", async () => {
        await page.goBack();
        await t.heading(page, "Search");
        await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    });
    await t.claim("a table is sorted by keyboard, and says how", async () => {
        await to(t, page, "Audit");
        await page.getByRole("region", { name: "What was done" }).waitFor();
        await tabTo(page, "button", "Who");
        await page.keyboard.press("Enter");
        await page.getByRole("columnheader", { name: "Who" }).and(page.locator("[aria-sort=ascending]")).waitFor();
    });
}

// -------------------------------------------------------------------------------------------------------- audit


async function audit(t, page, c) {
    await t.claim("the log says who did what, when, in which case", async () => {
        const row = entries(page).filter({ hasText: "Shared a case with an agency" }).filter({ hasText: c.reference }).first();
        await t.reads(row, /Today at \d\d:\d\d/, "Sam Okafor", "Disclosure");
    });
    await t.claim("and never the words of a case", () => t.silent(page.locator("main"), /Ysgol|Zoë|discussed|alert\(/));
    await t.look(page, "audit");
    for (const [kind, says] of Object.entries(KINDS))
        await t.claim(`only the acts of ${kind}`, async () => {
            const option = await t.reads(page.getByRole("option", { name: new RegExp(`^${kind}: `, "i") }), says);
            await t.fill(page, "Which acts", option);
            await t.button(page, "Show", { exact: true });
            await page.waitForFunction((wanted) => {
                const rows = [...document.querySelectorAll("tbody tr")];
                return rows.length > 0 && rows.every((r) => r.textContent.toLowerCase().includes(wanted));
            }, kind);
        });
    await t.claim("a day that is none is refused in words; a day before the first act has nothing", async () => {
        await t.fill(page, "Which acts", "All");
        const to = page.getByRole("group", { name: "To (optional)" });
        for (const [part, value] of [["Day", "31"], ["Month", "2"], ["Year", "2020"]]) await t.fill(page, part, value, { within: to });
        await t.button(page, "Show", { exact: true });
        await page.getByRole("link", { name: /must be a real date/ }).waitFor();
        await t.fill(page, "Day", "28", { within: to });
        await t.button(page, "Show", { exact: true });
        await t.sees(page, "Nothing in this time.");
    });
    await t.claim("the log can be saved as a spreadsheet", async () => {
        await to(t, page, "Board");
        await to(t, page, "Audit");
        const text = await saved(t, page);
        if (!/^(\ufeff)?at,kind,what,person,site,about,case,case_id\r?\n/.test(text)) throw new Error(text.slice(0, 200));
        for (const wanted of ["Sam Okafor", c.reference, "disclosure", "combination"]) if (!text.includes(wanted)) throw new Error(`${wanted} is not in it`);
    });
}
async function saved(t, page) {
    const [file] = await Promise.all([page.waitForEvent("download"), t.button(page, "Save as a spreadsheet (CSV)")]);
    let text = "";
    for await (const chunk of await file.createReadStream()) text += chunk;
    return text;
}
async function erased(t, partner, c) {
    await t.heading(partner, "Audit");
    await t.claim("the sixth act, erasure: what was taken away is in the log of the device that forgot it", async () => {
        await t.fill(partner, "Which acts", "Erasure: something was removed here");
        await t.button(partner, "Show", { exact: true });
        await entries(partner).filter({ hasText: "Forgot what was taken away" }).first().waitFor();
    });
    await t.claim("and a search there does not find it any more", async () => {
        await to(t, partner, "Search");
        await find(t, partner, "Ivy Lane");
        await t.sees(partner, "Nothing here has “Ivy Lane” in it.");
        await (await find(t, partner, "dyffryn")).getByRole("link", { name: c.reference }).first().waitFor();
    });
}

async function whoOpened(t, w, partner, c) {
    await t.claim("whoever wrote a sensitive record learns which places could see it, and on how many devices it is", async () => {
        await (await find(t, partner, "termination")).getByRole("link", { name: c.reference }).first().click();
        await t.link(partner, "Who opened it", { within: partner.getByRole("navigation", { name: "Parts of this case" }) });
        await t.link(partner, /^Who opened this record/);
        await t.button(partner, "Ask the MASH who could see it");
        await partner.getByText("Who could see it", { exact: true }).waitFor({ timeout: CONTACT });
        await partner.getByText(/sees it still/).first().waitFor();
        await t.counts(partner.getByRole("listitem").filter({ hasText: /could hold it since/ }), 2);
    });
    await t.look(partner, "who-opened");
}

// -------------------------------------------------------------------------------------------------- performance
async function performance(t, page) {
    await to(t, page, "Performance");
    const table = (caption) => page.getByRole("region", { name: caption }).getByRole("row");
    await t.claim("who referred, with which need, how it was rated before and after, and what came of it", async () => {
        await table("Who referred").filter({ hasText: "Schools" }).filter({ hasText: "3" }).waitFor();
        await table("Primary need").filter({ hasText: "Abuse or neglect" }).first().waitFor();
        await t.reads(table("Rating before and after").filter({ hasText: "Green" }).first(), /Green\s+Blue\s+1/);
        await table("Outcome").nth(1).waitFor();
    });
    await t.claim("how soon it was decided, and the share of reds within their time", async () => {
        await table("Time to the decision").filter({ hasText: "Green" }).filter({ hasText: "100 %" }).waitFor();
        await t.sees(page, "Reds decided in time");
        await t.sees(page, "Referred again");
    });
    await t.claim("how each partner answered: asked, answered, late", async () => {
        await t.reads(table("How partners answered").filter({ hasText: "Probation service" }), /^\s*Probation service\s+2\s+1\s+0\s+1(\s|$)/);
    });
    await t.look(page, "performance");
    await t.claim("only a time: nothing came in a year long ago", async () => {
        for (const [name, year] of [["Cases received from (optional)", "2001"], ["To (optional)", "2002"]])
            for (const [part, value] of [["Day", "1"], ["Month", "1"], ["Year", year]]) await t.fill(page, part, value, { within: page.getByRole("group", { name }) });
        await t.button(page, "Show", { exact: true });
        await page.getByText("0 cases").first().waitFor();
    });
    await t.claim("the figures can be saved as a spreadsheet, a case a row", async () => {
        await to(t, page, "Board");
        await to(t, page, "Performance");
        const text = await saved(t, page);
        if (!/case,area,subject,received_at,source,need,presenting_issue,rating_before,rating_after,outcome,decided_at,minutes,in_time,re_referral,asked,answered,declined,late/.test(text)) throw new Error(text.slice(0, 300));
        if (/(^|,)[=+@-]/m.test(text)) throw new Error("a spreadsheet would run something in it");
    });
}
