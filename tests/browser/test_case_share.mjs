/* What may be told to whom: a sensitive record, asked for, told in other words and bound to what was shown; consent
 * and what it does; sharing without it; a pointer; who takes part. Two sites with pages, with the hub gone in
 * between. */
import { CONTACT, run } from "./harness.mjs";
import { HOSTILE, aFamily, contactNow, done, openCase, part, problem, sent, tab } from "./case_story.mjs";

await run("case_share", async (t, w) => {
    const c = await aFamily(w);
    await w.inStep();
    await w.stopHub();
    const [probation, mash] = [await w.serve("probation"), await w.serve("mash")];
    const page = await openCase(t, w, probation, "probation", `/case/${c.reference}`);
    await record(t, w, page);
    await consent(t, page);
    await pointer(t, page);
    await w.startHub();
    await contactNow(t, page);
    await sent(page);
    const room = await openCase(t, w, mash, "mash", `/case/${c.reference}`);
    await contactNow(t, room);
    await askFor(t, w, room);
    await room.context().close();
    await tell(t, w, page, c);
    await refuse(t, w, page, c);
    await tellOne(t, w, page);
    await whoSaw(t, page);
    await page.context().close();
    await takesPart(t, w, c);
});

async function record(t, w, page) {
    await tab(t, page, "Chronology");
    await t.link(page, "Add what your agency knows");
    await part(page, "Add what your agency knows");
    await t.claim("what is missing is listed, and each line leads to its field", async () => {
        await t.button(page, "Share this record with everybody who takes part");
        await problem(page, "Choose who may see it");
        await t.focused(page, ".govuk-error-summary");
        await t.link(page, "Say in one line what it is about");
        await t.focused(page, "#case-title");
    });
    await t.look(page, "record-missing");
    await t.fill(page, "What kind of information is it?", "Offence or sentence");
    await t.fill(page, "In one line", `Licence ${HOSTILE}`);
    await t.fill(page, "What you know, and what it means", `He may not enter the house. ${HOSTILE}`);
    await t.claim("each choice of who may see it says what it means, and the button says what will be done", async () => {
        await t.choose(page, /^Only your agency/);
        await page.getByRole("button", { name: "Keep this record for your agency" }).waitFor();
        await t.choose(page, /^Sensitive/);
        await page.getByRole("button", { name: "Send this record to the MASH" }).waitFor();
        await t.sees(page, "Other agencies have to ask you.");
    });
    await t.claim("what was typed survives another page", async () => {
        await tab(t, page, "Consent");
        await tab(t, page, "Chronology");
        await t.link(page, "Add what your agency knows");
        await t.value(page.getByRole("textbox", { name: "What you know, and what it means" }), /^He may not enter/);
    });
    await t.look(page, "record-add");
    await t.claim("it is kept with no network, marked as not sent, and its owner is told who sees it", async () => {
        await t.button(page, "Send this record to the MASH");
        await done(page, "Your record was added");
        const entry = page
            .getByRole("listitem")
            .filter({ hasText: `Licence ${HOSTILE}` })
            .filter({ has: page.getByRole("heading", { level: 3 }) });
        await entry.getByText("Not sent yet").waitFor();
        await entry.getByText("Only your agency and the MASH see this.").waitFor();
    });
    await t.claim("a record that needs consent is seen by nobody else, and its owner is told what may be done", async () => {
        await t.link(page, "Add what your agency knows");
        await t.fill(page, "What kind of information is it?", "Note");
        await t.fill(page, "In one line", "Debts of the mother");
        await t.fill(page, "What you know, and what it means", "She may lose the flat.");
        await t.choose(page, /^Not sensitive/);
        await t.tick(page, "It may be shared only with consent");
        await t.button(page, "Share this record with everybody who takes part");
        await done(page, "Your record was added");
        await page
            .getByText(/Nobody else can see this: it waits for consent/)
            .first()
            .waitFor();
    });
    await t.claim("sharing without consent wants a reason, and then says who sees it", async () => {
        await t.link(page, /^Share without consent/);
        await part(page, "Share a record without consent");
        await t.button(page, "Share this record without consent");
        await problem(page, "Say why it must be shared without consent");
        await t.look(page, "override");
        await t.fill(page, "Why must it be shared without consent?", "The children may be on the street tonight.");
        await t.button(page, "Share this record without consent");
        await done(page, "The record is shared without consent, with your reason");
        await page.getByText(/Nobody else can see this: it waits for consent/).waitFor({ state: "detached" });
    });
    await t.claim("a mistake is marked with a reason, and leaves the page", async () => {
        const links = page.getByRole("link", { name: /^Mark as a mistake.*Debts of the mother$/ });
        await links.click();
        await part(page, "Mark an entry as a mistake");
        await t.fill(page, "What is wrong with it?", "Another family.");
        await t.button(page, "Mark as a mistake");
        await done(page, "The entry is marked as a mistake");
        await links.waitFor({ state: "detached" });
    });
}

async function consent(t, page) {
    await tab(t, page, "Consent");
    await t.look(page, "consent");
    await t.link(page, /: consent of Ruth Moss$/);
    await part(page, "Consent of Ruth Moss");
    await t.claim("what each answer does to sharing is said before it is noted", async () => {
        for (const [answer, says] of [
            ["Consent is given", /become visible/],
            ["Consent is refused", /seen by nobody outside the agency/],
            ["Consent is withdrawn", /leave the devices of other agencies/],
            ["Consent was not sought", /Their owners see your reason/],
        ]) {
            await t.choose(page, answer);
            await t.sees(page, says);
        }
    });
    await t.claim("that it was not sought needs a reason", async () => {
        await t.button(page, "Note this");
        await problem(page, "Say why consent was not sought");
    });
    await t.look(page, "consent-note");
    await t.claim("it is noted, with its effect", async () => {
        await t.fill(page, "Why?", "Asking would put her in danger.");
        await t.button(page, "Note this");
        await done(page, "Consent is noted");
        await page.getByRole("region", { name: "Consent of Ruth Moss" }).getByText("Not sought", { exact: true }).waitFor();
        await page.getByRole("region", { name: "Consent of Ruth Moss" }).getByText("What this does:").waitFor();
    });
}

async function pointer(t, page) {
    await tab(t, page, "Permission to share");
    await t.link(page, "Say that your agency holds something");
    await t.fill(page, "What may everybody know?", "We hold something about Karl");
    await t.look(page, "pointer");
    await t.claim("an agency can say that it holds something", async () => {
        await t.button(page, "Let everybody in this case know");
        await done(page, "Everybody in this case is told that you hold something");
    });
}

async function askFor(t, w, room) {
    await t.claim("the other side sees that something is held, and the link opens the form that asks for it", async () => {
        await room.getByText("Probation service holds 1 item that it has not shared.").first().waitFor({ timeout: CONTACT });
        await t.link(room, "Ask Probation service for permission to share");
        await part(room, "Ask for permission to share");
        await room.getByRole("button", { name: "Ask Probation service" }).waitFor();
    });
    await t.fill(room, "What do you ask about?", "We hold something about Karl");
    await t.fill(room, "What do you need it for?", "To decide whether he may be in the house.");
    await t.look(room, "release-ask");
    await t.claim("the question is sent", async () => {
        await t.button(room, "Ask Probation service");
        await done(room, "Probation service is asked for permission");
        await room.getByText("Waits for an answer").first().waitFor();
    });
    await t.claim("a question that is not needed any more is taken back", async () => {
        await t.link(room, "Ask an agency for permission to share");
        await t.fill(room, "Which agency do you ask?", "Community health");
        await t.fill(room, "What do you need it for?", "For the notes of the meeting.");
        await t.button(room, "Ask Community health");
        await done(room, "Community health is asked for permission");
        const asked = room.getByRole("listitem").filter({ has: room.getByRole("heading", { name: "Children's social care asks Community health" }) });
        await t.link(room, "Take this question back", { within: asked });
        await part(room, "Take the question back");
        await t.button(room, "Take the question back");
        await done(room, "The question is taken back");
        await asked.getByText("Taken back", { exact: true }).waitFor();
    });
    await sent(room);
}

async function tell(t, w, page, c) {
    await t.claim("the question comes by itself, and the tab counts it", async () => {
        await page.getByRole("navigation", { name: "Parts of this case" }).getByRole("link", { name: "Permission to share (1)" }).waitFor({ timeout: CONTACT });
        await tab(t, page, "Permission to share");
        await t.sees(page, "To decide whether he may be in the house.");
    });
    await t.look(page, "permission");
    await t.link(page, "Choose what they are told");
    await part(page, "May they be told, and how?");
    await t.choose(page, /^In other words/);
    await t.fill(page, "Title of what they get", "What you may know");
    await t.fill(page, "What they may know", "He must not be there at night.");
    await t.fill(page, "Conditions", "For your assessment only");
    await t.look(page, "permission-choose");
    await t.claim("before anything is told the page shows exactly what they would get, and nothing of the record", async () => {
        await t.button(page, "Show me what they would get");
        const shown = page.getByRole("region", { name: "This is all that Children's social care gets" });
        await shown.getByText("He must not be there at night.").waitFor();
        await shown.getByText("For your assessment only").waitFor();
        await t.silent(shown, /He may not enter the house/);
    });
    await t.look(page, "permission-preview");
    await t.claim("it can be changed, and what was typed is still there", async () => {
        await t.button(page, "Change something first");
        const field = page.getByRole("textbox", { name: "What they may know" });
        await t.value(field, "He must not be there at night.");
        await field.fill("He must not be there at all.");
        await t.button(page, "Show me what they would get");
        await page
            .getByRole("region", { name: /^This is all/ })
            .getByText("He must not be there at all.")
            .waitFor();
    });
    await t.claim("then it is told", async () => {
        await t.button(page, "Tell Children's social care exactly this");
        await done(page, "Children's social care is told");
    });
    await sent(page);
    await w.stop("serve-mash");
    const got = await w.arrives("mash", "select title, body, conditions from release where state = 'granted' and asked_by is null");
    t.equal(
        "they got the owner's words and no others",
        "What you may know|He must not be there at all.|For your assessment only",
        got.map((r) => [r.title, r.body, r.conditions].join("|")).join(),
    );
    await w.serve("mash");
}

async function refuse(t, w, page, c) {
    await w.node("health", "release", "ask", c.reference, "probation", "--reason", "For the school nurse");
    await w.json("health", "sync");
    await t.claim("refusing wants a reason, and they are told it", async () => {
        await page.getByRole("link", { name: "Refuse, and say why" }).first().waitFor({ timeout: CONTACT });
        await t.link(page, "Refuse, and say why");
        await part(page, "Refuse permission to share");
        await t.button(page, "Refuse, and tell them why");
        await problem(page, "Say why they may not be told");
        await t.fill(page, "Why may they not be told?", "It bears on nobody they see.");
        await t.look(page, "refuse");
        await t.button(page, "Refuse, and tell them why");
        await done(page, "Community health is told that you refuse, and why");
    });
    await sent(page);
    await w.json("health", "sync");
    const got = await w.sql("health", "select reason from release where state = 'refused' and asked_by is null");
    t.equal("health knows why", "It bears on nobody they see.", got.map((r) => r.reason).join());
}

// What an agency was told, in the order it was told; by the commands, since its own pages are another test's.
async function toldHealth(w) {
    await w.json("health", "sync");
    return (await w.sql("health", "select how, title, body, conditions from release where state = 'granted' and asked_by is null order by decided_at")).map((r) =>
        [r.how, r.title, r.body, r.conditions].join("|"),
    );
}

async function tellOne(t, w, page) {
    const begin = async (how) => {
        await tab(t, page, "Chronology");
        await t.link(page, /^Tell one agency.*Licence/);
        await part(page, "Tell one agency what you hold");
        await t.fill(page, "Which agency is told?", "Community health");
        await t.choose(page, how);
    };
    const shown = page.getByRole("region", { name: "This is all that Community health gets" });
    await t.claim("by word of mouth: no text goes, and it stays on record that they were told", async () => {
        await begin(/^By word of mouth/);
        await t.fill(page, "Conditions", "Not to be written down");
        await t.button(page, "Show me what they would get");
        await shown.getByText("No text. Ring them and tell them.").waitFor();
        await t.button(page, "Tell Community health exactly this");
        await done(page, "Community health is told");
    });
    await sent(page);
    t.equal("they have that they were told, and no text", "spoken|||Not to be written down", (await toldHealth(w)).join());
    await t.claim("where the record changed after it was shown, nothing is told, and the page says so", async () => {
        await begin(/^The whole record/);
        const record = new URL(page.url()).pathname.split("/").pop();
        await t.button(page, "Show me what they would get");
        await shown.getByText("He may not enter the house.").waitFor();
        await w.node("probation", "record", "set", record, "body=He may come by day.");
        await t.button(page, "Tell Community health exactly this");
        await page.getByRole("heading", { name: "There is a problem" }).waitFor();
        await t.look(page, "permission-changed");
    });
    await t.claim("looked at again, it shows what stands now, and that is told, whole", async () => {
        await t.button(page, "Look at it again");
        await t.button(page, "Show me what they would get");
        await shown.getByText("He may come by day.").waitFor();
        await t.button(page, "Tell Community health exactly this");
        await done(page, "Community health is told");
    });
    await sent(page);
    t.equal("they have the record as it stands, once", `whole|Licence ${HOSTILE}|He may come by day.|`, (await toldHealth(w)).filter((r) => !r.startsWith("spoken")).join());
}

async function whoSaw(t, page) {
    await tab(t, page, "Who opened it");
    await t.link(page, /^Who opened this record.*Licence/);
    await part(page, "Who opened this record");
    await t.claim("its owner asks who could see a record, and the answer comes by itself", async () => {
        await t.button(page, "Ask the MASH who could see it");
        await page.getByText(/The MASH server answered/).waitFor({ timeout: CONTACT });
        await page.getByRole("listitem").filter({ hasText: /sees it still/ }).nth(1).waitFor(); // the owner, and the MASH
        await page.getByRole("listitem").filter({ hasText: /^a device at .* \([0-9a-f]{8}…\) could hold it since/ }).first().waitFor();
    });
    await t.look(page, "who-saw");
}

async function takesPart(t, w, c) {
    const room = await openCase(t, w, w.services.mash.url, "mash", `/case/${c.reference}/sharing`);
    await part(room, "Who takes part");
    await t.look(room, "sharing");
    await t.claim("who stops sharing is told what stays with the other agency, before it is done", async () => {
        await t.link(room, "Stop sharing with Community health");
        await t.sees(room, /It keeps what it wrote itself/);
    });
    await t.claim("what would leave is counted by the MASH server first, and nothing leaves by that", async () => {
        await t.button(room, "See what would leave first");
        await room.getByText(/The MASH server answered/).waitFor({ timeout: CONTACT });
        await room.getByRole("listitem").filter({ hasText: /^7 people would leave$/ }).waitFor();
        await room.getByText(/1 of its devices holds the case now/).waitFor();
    });
    await t.look(room, "sharing-stop");
    await t.claim("and it is done", async () => {
        await t.button(room, "Stop sharing with Community health");
        await done(room, "The case is no longer shared with Community health");
    });
    await t.claim("who shares sees what the other will see, before it is done", async () => {
        await t.link(room, "Share this case with an agency");
        await t.fill(room, "Which agency?", "Community health");
        await t.choose(room, /^Reads the case/);
        await t.fill(room, "On what basis?", "Section 47");
        await room.getByRole("heading", { name: "What Community health will see" }).waitFor();
        await t.sees(room, "They see each record that is not sensitive, unless it waits for consent.");
        await t.choose(room, /^Is asked what it knows/);
        await t.sees(room, /They see no record of another agency/);
    });
    await t.claim("what they would get is counted by the MASH server first, for each way of taking part", async () => {
        await t.button(room, "See what they would get first");
        await room.getByRole("listitem").filter({ hasText: /^7 people would appear$/ }).waitFor({ timeout: CONTACT });
        await t.absent(room.getByRole("listitem").filter({ hasText: /(summary|records?|numbers?) .*would appear/ })); // for who is only asked
        await t.choose(room, /^Reads the case/);
        await t.sees(room, "This has not been asked yet.");
        await t.button(room, "See what they would get first");
        await room.getByRole("listitem").filter({ hasText: /^1 summary of the case with its decision would appear$/ }).waitFor({ timeout: CONTACT });
    });
    await t.claim("with no contact it says so, what holds by the rules stands all the same, and sharing waits for nothing", async () => {
        await w.stopHub();
        await t.choose(room, /^Works on the case/);
        await t.button(room, "See what they would get first");
        await t.sees(room, /The answer comes with a contact with the MASH/);
        await t.sees(room, "They see each record that is not sensitive, unless it waits for consent.");
        await t.choose(room, /^Reads the case/);
        await t.look(room, "sharing-add");
        await t.button(room, "Share this case with Community health");
        await done(room, "The case is shared with Community health");
    });
    await w.startHub();
    await contactNow(t, room);
    await sent(room);
    const reads = (rows) => rows.some((p) => p.access === "view" && p.basis === "Section 47");
    const got = await w.arrives("health", "select access, basis from participant where member = 'health' and voided_at is null", reads);
    t.ok("the other agency reads the case, on the basis that was given", reads(got), JSON.stringify(got));
    const page = await openCase(t, w, w.services.probation.url, "probation", `/case/${c.reference}/sharing`);
    await t.claim("who may not decide who takes part is told who may, and is offered no button", async () => {
        await t.sees(page, "Whoever leads the case, or a manager of the MASH, decides who takes part.");
        await t.absent(page.getByRole("link", { name: /^(Stop sharing|Share this case)/ }));
    });
}
