// A person who has never seen it finds the reddest case, answers its question, marks the answer sensitive, and sees it leave.
import { sent } from "./case_story.mjs";
import { run } from "./harness.mjs";
import { aCase, ask } from "./story.mjs";

await run("requests", async (t, w) => {
    const red = await aCase(w);
    const amber = await aCase(w, { rag: "amber", family: "Pike", given: "Noor" });
    const question = await ask(w, red, "probation", "Is the father on licence, and may he be in the house?");
    const second = await ask(w, amber, "probation", "Do you know anybody at this address?");
    await w.inStep();
    const url = await w.serve("probation");
    const page = await t.open(url);
    await t.signIn(page, w.passphrase("probation"));

    await t.claim("the first case of the board is the red one, and its card leads to the answer", async () => {
        await t.heading(page, "Board");
        const first = page.getByRole("link", { name: /^Your agency is asked: answer/ }).first();
        await t.reads(first, red.reference);
    });
    await t.claim("what is asked of the agency stands in a list, the most urgent first", async () => {
        await requests(t, page);
        await t.sees(page, "Is the father on licence");
        await t.reads(page.getByRole("heading", { level: 2 }).first(), red.reference);
        await t.sees(page, /Answer due/);
        await t.sees(page, /hours? .*left/);
    });
    await t.look(page, "requests-in");
    await answer(t, w, page, { red, question });
    await decline(t, w, page, { amber, second });
    await csv(t, w, page);
});

async function requests(t, page) {
    await t.link(page, "Requests", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
    await t.heading(page, "Asked of your agency");
}

async function answer(t, w, page, { red, question }) {
    await t.claim("answering: known, in own words, sensitive", async () => {
        await t.link(page, `Answer about ${red.reference}`, { exact: true });
        await t.sees(page, "Is the father on licence");
        await t.choose(page, "Known to us", { exact: true });
        await t.fill(page, "Title", "Licence conditions");
        await t.fill(page, "What it means", "He is on licence and may not enter the house.");
        await t.choose(page, /^Sensitive/);
    });
    await t.look(page, "answer");
    await t.claim("it is sent, and the page says what happened", async () => {
        await t.button(page, /^Send the answer/);
        await page.getByRole("alert").filter({ hasText: "is answered" }).first().waitFor();
        await requests(t, page);
        await page.getByRole("link", { name: /^Decline/ }).first().waitFor();
        await t.gone(page.getByRole("link", { name: `Answer about ${red.reference}` }));
    });
    await t.claim("and it leaves: nothing is held only on this device", () => sent(page));
    // A record names no request, lest those who see it learn that somebody asked.
    const at = await w.arrives("mash", `select q.state, q.result, r.sensitivity, r.title from request q join record r on r.case_id = q.case_id and r.agency = q.to_agency where q.id = x'${question.replaceAll("-", "")}'`);
    t.equal("the MASH has the answer, marked sensitive", "answered known sensitive Licence conditions", at.map((r) => `${r.state} ${r.result} ${r.sensitivity} ${r.title}`).join());
    await w.json("health", "sync");
    t.equal("health, which was not asked, has nothing of it", 0, (await w.sql("health", "select id from record")).length);
}

async function decline(t, w, page, { amber, second }) {
    await t.claim("declining wants a reason", async () => {
        await t.link(page, `Decline with a reason about ${amber.reference}`);
        await page.getByRole("textbox").first().waitFor();
        await t.button(page, /^Decline/);
        await page.getByRole("heading", { name: "There is a problem" }).waitFor();
    });
    await t.look(page, "decline");
    await t.claim("and with one it is sent", async () => {
        await page.getByRole("textbox").first().fill("Not our area: ask the southern office.");
        await t.button(page, /^Decline/);
        await page.getByRole("alert").filter({ hasText: "told that you decline" }).first().waitFor();
        await requests(t, page);
        await t.sees(page, "Nobody waits for an answer of your agency.");
    });
    await sent(page);
    const [got] = await w.arrives("mash", `select state, reason from request where id = x'${second.replaceAll("-", "")}' and state <> 'open'`);
    t.equal("the MASH knows who declined and why", "declined Not our area: ask the southern office.", `${got?.state} ${got?.reason}`);
}

async function csv(t, w, page) {
    const blue = await aCase(w, { rag: "blue", family: "Lane", given: "Ivy" });
    const third = await ask(w, blue, "probation", "Anything about, \"the lodger\"?");
    await w.json("mash", "sync");
    await t.claim("a new question comes by itself, without a click", async () => {
        await t.sees(page, "the lodger");
    });
    await t.link(page, "Answer many at once");
    await t.heading(page, "Answer many at once");
    await t.look(page, "answers-csv");
    let text = "";
    await t.claim("the questions can be saved as a file", async () => {
        const [file] = await Promise.all([page.waitForEvent("download"), t.button(page, "Save the questions as a spreadsheet (CSV)")]);
        for await (const chunk of await file.createReadStream()) text += chunk;
        if (!text.startsWith("request,case,asked_by,question,due,result,reason,title,body,sensitivity,needs_consent") || !text.includes(third)) throw new Error(text);
    });
    const bring = async (filled) => {
        await page.getByLabel("The file with your answers").setInputFiles({ name: "answers.csv", mimeType: "text/csv", buffer: Buffer.from(filled) });
        await t.button(page, "Take the answers in");
    };
    await t.claim("a file with a fault is refused whole, and each line that needs mending is named", async () => {
        await bring(answered(text, "perhaps"));
        const refused = page.getByRole("group", { name: "Nothing was sent: some lines need mending" });
        await refused.getByRole("listitem").filter({ hasText: /^Line 2: / }).waitFor();
        await page.getByText("Nothing is held only on this device").waitFor();
    });
    await t.look(page, "answers-csv-refused");
    await t.claim("the file with an answer is taken in", async () => {
        await bring(answered(text, "not_known"));
        await page.getByRole("group", { name: "Taken in" }).getByText("1 answer").waitFor();
    });
    await sent(page);
    const [got] = await w.arrives("mash", `select result from request where id = x'${third.replaceAll("-", "")}' and result is not null`);
    t.equal("and reaches the MASH", "not_known", got?.result);
}

// The file with this result in its line.
function answered(text, result) {
    const filled = text.replace(/(\r?\n[^\n]*?),,,,,,(\r?\n|$)/, (all, head, end) => `${head},${result},,,,,${end}`);
    if (filled === text) throw new Error(`no empty columns in: ${text}`);
    return filled;
}
