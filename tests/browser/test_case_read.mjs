// A case is read: who it is about, warnings first, what is due, everything that was said, the family, and the page to
// print.
import { CONTACT, run } from "./harness.mjs";
import { ask } from "./story.mjs";
import { HOSTILE, aFamily, openCase, part, tab } from "./case_story.mjs";

await run("case_read", async (t, w) => {
    const c = await aFamily(w);
    await w.node("mash", "warning", "add", c.reference, "dog", "--note", `Large dog ${HOSTILE}`);
    await w.node("mash", "contact", "add", c.people.mother, "address", "1 Hidden Lane", "--protected");
    await w.node("mash", "contact", "add", c.people.girl, "phone", "01632 960123");
    await w.node(
        "mash",
        "record",
        "add",
        c.reference,
        "--kind",
        "visit",
        "--title",
        `Seen at home ${HOSTILE}`,
        "--body-file",
        w.file(`The house was cold. ${HOSTILE}`),
        "--person",
        c.person,
        "--at",
        "2026-03-01T10:30:00Z",
    );
    await w.node(
        "mash",
        "record",
        "add",
        c.reference,
        "--kind",
        "note",
        "--title",
        "Told in confidence",
        "--body-file",
        w.file("Only for the MASH."),
        "--sensitivity",
        "sensitive",
    );
    await w.node("mash", "record", "add", c.reference, "--kind", "constructor", "--title", "A kind that is none", "--body-file", w.file("Text."));
    await ask(w, c, "probation", "Is the father on licence?");
    await w.inStep();
    await w.node("health", "pointer", "add", c.reference, "--note", "We hold something about the mother");
    await w.node("health", "pointer", "add", c.reference, "--note", "And about the birth");
    await w.node("health", "record", "add", c.reference, "--kind", "health", "--title", "Weight and height", "--body-file", w.file("On the second centile."));
    await w.inStep();
    const url = await w.serve("probation");
    const page = await openCase(t, w, url, "probation", `/case/${c.reference}`);
    await head(t, page, c);
    await chronology(t, page, url, c);
    await family(t, page, c);
    await summary(t, page, c);
    await explain(t, w, page, c);
    await gone(t, page, url);
});

async function head(t, page, c) {
    await t.claim("the head says who it is about, and how old", async () => {
        await page.getByRole("heading", { level: 1, name: /Ella Moss/ }).waitFor();
        await t.sees(page, /Born 3 February 2015, 11 years old/);
        await t.sees(page, `Case ${c.reference}`);
    });
    await t.claim("warnings come before everything else in the case, hostile text as text", async () => {
        await t.reads(page.getByRole("heading").first(), /^Warnings/);
        await t.sees(page, HOSTILE);
    });
    await t.claim("the rating is a word, and what is due says the hour and what is left", async () => {
        await page.getByText("Red", { exact: true }).first().waitFor();
        await page
            .getByRole("list", { name: "What is due when" })
            .getByText(/Decision due (today|tomorrow) at \d\d:\d\d, .* left/)
            .waitFor();
    });
    await t.claim("an open question leads to the form that answers it", async () => {
        await page.getByRole("link", { name: "Answer the question from Children's social care" }).waitFor();
    });
    await t.claim("the window's title names no person", async () => {
        const title = await t.until(() => page.title(), (text) => text.includes(c.reference));
        if (/Ella|Moss/.test(title)) throw new Error(title);
    });
    await t.look(page, "overview");
}

async function chronology(t, page, url, c) {
    await tab(t, page, "Chronology");
    const entries = page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 3 }) });
    await t.claim("all agencies stand in one line of time, oldest first, with the time it happened and the time it was written", async () => {
        const seen = entries.filter({ hasText: "Seen at home" });
        await seen
            .getByText(/1 March 2026|Sun 1 March/)
            .first()
            .waitFor();
        await seen.getByText(/written today at/).waitFor();
        await seen.getByText("About Ella Moss").waitFor();
        await entries.filter({ hasText: "Weight and height" }).getByText("Community health, Mina Shah").waitFor();
        await t.reads(entries.first(), "Seen at home");
    });
    await t.claim("what is sensitive of another agency is not there", async () => {
        await t.absent(page.getByText("Told in confidence"));
    });
    await t.claim("an agency that says that it holds something is named, with a link that asks it", async () => {
        await t.sees(page, "Community health holds 2 items that it has not shared.");
        await page.getByRole("link", { name: "Ask Community health for permission to share" }).waitFor();
    });
    await t.claim("it can be narrowed down by agency and by kind, and widened again", async () => {
        await t.fill(page, "Agency", "Community health");
        await t.sees(page, /Showing \d+ of \d+ entries/);
        await entries.filter({ hasText: "Seen at home" }).waitFor({ state: "detached" });
        await entries.filter({ hasText: "Weight and height" }).waitFor();
        await t.fill(page, "Agency", "All");
        await t.fill(page, "Kind", "Visit");
        await entries.filter({ hasText: "Weight and height" }).waitFor({ state: "detached" });
        await t.fill(page, "Kind", "All");
        await entries.filter({ hasText: "Weight and height" }).waitFor();
    });
    await days(t, page, entries);
    await t.claim("a kind that is the name of something in the page's own language is a word like any other", async () => {
        await entries.filter({ hasText: "A kind that is none" }).getByText("Constructor", { exact: true }).waitFor();
    });
    await t.claim("hostile text is text", async () => {
        await page.getByText(HOSTILE).first().waitFor();
        await t.absent(page.locator("main img, main script"));
    });
    await t.look(page, "chronology");
}

async function typeDay(page, name, d, m, y) {
    const field = page.getByRole("group", { name });
    for (const [label, text] of [["Day", d], ["Month", m], ["Year", y]]) await field.getByLabel(label, { exact: true }).fill(text);
}
async function days(t, page, entries) {
    await t.claim("it can be narrowed down to some days by the keyboard, and says which", async () => {
        await typeDay(page, /^From/, "1", "3", "2026");
        await typeDay(page, /^To/, "1", "3", "2026");
        await page.keyboard.press("Enter");
        await t.sees(page, /Showing 1 of \d+ entries, from 1 March 2026 until the end of 1 March 2026\./);
        await entries.filter({ hasText: "Seen at home" }).waitFor();
        await entries.filter({ hasText: "Weight and height" }).waitFor({ state: "detached" });
    });
    await t.look(page, "chronology-days");
    await t.claim("days turned round, or that are none, are refused beside the field, and nothing else is shown", async () => {
        await typeDay(page, /^To/, "28", "2", "2026");
        await t.button(page, "Show", { exact: true });
        await page.getByRole("alert").getByText("The last day is before the first: give the earlier day first").waitFor();
        await typeDay(page, /^To/, "30", "2", "2026");
        await t.button(page, "Show", { exact: true });
        await page.getByRole("alert").getByText("The last day must be a real date, such as 6 5 2014").waitFor();
        await t.sees(page, /Showing 1 of/);
    });
    await t.claim("without days all is shown again", async () => {
        await typeDay(page, /^From/, "", "", "");
        await typeDay(page, /^To/, "", "", "");
        await t.button(page, "Show", { exact: true });
        await entries.filter({ hasText: "Weight and height" }).waitFor();
    });
}

async function family(t, page, c) {
    await tab(t, page, "People and family tree");
    const tree = page.getByRole("region", { name: "Family tree" });
    await t.claim("everybody is drawn, the lodger too, and each can be reached by the keyboard", async () => {
        for (const name of ["Ella Moss", "Ruth Moss", "Adam Moss", "Karl Moss", "Finn Moss", "Baby Moss", "Lew Moss"])
            await tree.getByRole("link", { name: new RegExp(`^${name}`) }).waitFor();
        await tree.getByRole("link", { name: /^Ella Moss/ }).focus();
        await page.keyboard.press("Enter");
        await page.waitForFunction((id) => location.hash === `#person-${id}`, c.person);
    });
    await t.claim("squares, circles, a triangle and a diamond, a cross for who died, a thick line for the child", async () => {
        const shape = await page.evaluate(() => {
            const of = (name) => [...document.querySelectorAll("svg a")].find((a) => a.textContent.includes(name));
            const kinds = (name) => [...of(name).querySelectorAll("[class^=geno]")].map((e) => `${e.tagName}.${e.getAttribute("class")}`).join(" ");
            return {
                girl: kinds("Ella"),
                mother: kinds("Ruth"),
                father: kinds("Adam"),
                unborn: kinds("Baby"),
                lodger: kinds("Lew"),
                broken: document.querySelectorAll(".geno-line--broken").length,
            };
        });
        const fits =
            /circle\.geno-shape geno-shape--subject/.test(shape.girl) &&
            /circle\.geno-shape(?! geno)/.test(shape.mother) &&
            /rect\.geno-shape.*path\.geno-line/.test(shape.father) &&
            /path\.geno-shape/.test(shape.unborn) &&
            shape.broken >= 2;
        if (!fits) throw new Error(JSON.stringify(shape));
    });
    await t.claim("the table says the same in words", async () => {
        const table = page.getByRole("table", { name: "Everybody as a table" });
        const girl = table.getByRole("row").filter({ hasText: "Ella Moss" }).filter({ hasText: "The case is about them" });
        for (const text of ["mother: Ruth Moss", "father: Adam Moss", "step-father: Karl Moss"]) await girl.getByText(text).waitFor();
        await table
            .getByRole("row")
            .filter({ has: page.getByRole("rowheader", { name: /^Lew Moss/ }) })
            .getByText("No relation recorded")
            .waitFor();
        await table
            .getByRole("row")
            .filter({ has: page.getByRole("rowheader", { name: /^Adam Moss/ }) })
            .getByText("Died 1 January 2019")
            .waitFor();
    });
    await t.claim("a protected address of another agency is not here", async () => {
        await t.sees(page, "01632 960123");
        await t.absent(page.getByText("1 Hidden Lane"));
    });
    await t.look(page, "people");
}

async function summary(t, page, c) {
    await t.link(page, "One-page summary", { within: page.getByRole("navigation", { name: "Parts of this case" }) });
    await t.claim("the summary has the case, the family and the notes on one page", async () => {
        await page.getByRole("heading", { level: 1 }).filter({ hasText: c.reference }).waitFor();
        await page.getByText("Ella Moss").first().waitFor();
        await page.getByText("Seen at home").first().waitFor();
    });
    await t.look(page, "summary");
    await t.claim("it can be made of some days, and says so", async () => {
        await page.getByText("Show only some days").click();
        await typeDay(page, /^From/, "1", "3", "2026");
        await typeDay(page, /^To/, "1", "3", "2026");
        await t.button(page, "Show", { exact: true });
        await page.getByRole("heading", { name: "Chronology, 1 Mar 2026", exact: true }).waitFor();
        await t.sees(page, /Only these days are shown\. \d+ entries lie before or after them/);
    });
    await t.claim("on paper its tools and the menu are gone", async () => {
        await page.getByRole("button", { name: "Print this summary" }).waitFor();
        await page.emulateMedia({ media: "print" });
        for (const name of ["Print this summary", "Sign out"]) await page.getByRole("button", { name }).waitFor({ state: "hidden" });
        await page.getByRole("navigation", { name: "Menu" }).waitFor({ state: "hidden" });
        await page.getByText("Seen at home").first().waitFor();
        await t.picture(page, "summary-printed");
        await page.emulateMedia({ media: "screen" });
    });
    await t.link(page, "Back to the case");
    await part(page, "Overview");
}

async function explain(t, w, page, c) {
    await tab(t, page, "Who opened it");
    await t.look(page, "opened");
    await t.link(page, "Why do we see this case?");
    await part(page, "Why do we see this?");
    await t.claim("why the case is here is asked of the MASH, and the answer comes by itself", async () => {
        await t.button(page, "Ask the MASH why we see this");
        await page
            .getByRole("heading", { name: /Why it is here|How your site takes part/ })
            .first()
            .waitFor({ timeout: CONTACT });
        await t.sees(page, "Working Together 2023");
    });
    await t.look(page, "why");
}

async function gone(t, page, url) {
    await t.claim("a case that is not here says so in words", async () => {
        await page.goto(`${url}/case/C-22222222`);
        await page.getByRole("alert").filter({ hasText: "This device does not hold what you are looking for" }).waitFor();
    });
    await t.claim("nor is any part of it, also one that no case has", async () => {
        await page.goto(`${url}/case/C-22222222/nonsense`);
        await page.getByRole("alert").waitFor();
    });
    await t.claim("a page that is none says so, and leads back", async () => {
        await page.goto(`${url}/nonsense`);
        await t.heading(page, "There is no such page");
        await page.getByRole("link", { name: "Go to the board" }).waitFor();
    });
}
