/* From questions to the outcome: asking several agencies, chasing, declining; ratings in dispute; a meeting with who
 * did not agree; the decision; telling its outcome and hearing that it was heard; actions and plans. Two sites with
 * pages, with the hub gone in between. */
import { CONTACT, run } from "./harness.mjs";
import { ask, move } from "./story.mjs";
import { HOSTILE, aFamily, contactNow, done, openCase, part, problem, sent, tab } from "./case_story.mjs";

await run("case_decide", async (t, w) => {
    const c = await aFamily(w);
    const early = await ask(w, c, "probation", "Is Karl on licence?");
    await move(w, "mash", "request", early, "due_at", -30);
    await w.inStep();
    const [probation, mash] = [await w.serve("probation"), await w.serve("mash")];
    const room = await openCase(t, w, mash, "mash", `/case/${c.reference}`);
    await asking(t, room);
    await sent(room);
    const page = await openCase(t, w, probation, "probation", `/case/${c.reference}`);
    await answering(t, w, page);
    await rating(t, w, page, room);
    await meeting(t, room);
    await deciding(t, room);
    await telling(t, w, room, page);
    await work(t, room);
    await closing(t, room, c);
}, { sites: ["mash", "probation"] });

async function asking(t, room) {
    await tab(t, room, "Questions and answers");
    await t.claim("who has not answered in time stands first, and says so in words", async () => {
        const first = room
            .getByRole("listitem")
            .filter({ has: room.getByRole("heading", { level: 3 }) })
            .first();
        await first.getByText("Late: no answer yet").waitFor();
        await first.getByText("Is Karl on licence?").waitFor();
    });
    await t.look(room, "requests");
    await t.claim("an agency is asked once more", async () => {
        await t.link(room, /^Ask once more/);
        await part(room, "Ask once more");
        await t.look(room, "chase");
        await t.button(room, "Ask Probation service once more");
        // A question of a moment ago is not chased: the page says so, and nothing is lost.
        await room.getByRole("alert").first().waitFor();
        await t.link(room, "Go back without doing this");
        await part(room, "Questions and answers");
    });
    await t.link(room, "Ask agencies what they know");
    await part(room, "Ask agencies what they know");
    await t.claim("asking without a question is stopped before anything is sent", async () => {
        await t.button(room, "Send the question");
        await problem(room, "Choose at least one agency");
        await problem(room, "Write what you need to know");
    });
    await t.look(room, "ask");
    await t.claim("several agencies are asked at once, hostile text as text", async () => {
        await t.tick(room, "Probation service");
        await t.tick(room, "Community health");
        await t.fill(room, "What do you need to know?", `Who lives there? ${HOSTILE}`);
        await t.fill(room, "On what basis do you ask?", "Section 47");
        await t.button(room, "Send the question to 2 agencies");
        await done(room, "The question goes to");
        const asked = room
            .getByRole("listitem")
            .filter({ hasText: `Who lives there? ${HOSTILE}` })
            .filter({ has: room.getByRole("heading", { level: 3 }) });
        await t.counts(asked, 2);
    });
    await t.claim("a question can be taken back", async () => {
        const health = room.getByRole("listitem").filter({ has: room.getByRole("heading", { level: 3, name: /asked Community health/ }) });
        await t.link(room, "Take this question back", { within: health });
        await part(room, "Take a question back");
        await t.button(room, "Take the question back");
        await done(room, "The question is taken back");
        await health.getByText("Taken back", { exact: true }).waitFor();
    });
}

async function answering(t, w, page) {
    await t.claim("what waits is counted on the tab, and the late one is marked", async () => {
        await page.getByRole("navigation", { name: "Parts of this case" }).getByRole("link", { name: "Questions and answers (2)" }).waitFor({ timeout: CONTACT });
        await page.getByText("Late", { exact: true }).first().waitFor();
    });
    await w.stopHub();
    await t.link(page, "Answer the question from Children's social care", { within: page.getByRole("listitem").filter({ hasText: "Late" }) });
    await part(page, "Answer a question");
    await t.claim("an answer without a choice is stopped", async () => {
        await t.button(page, "Send the answer");
        await problem(page, "Choose what your agency knows");
    });
    await t.claim("answered with no network, it says that it is not sent yet", async () => {
        await t.choose(page, "Known to us", { exact: true });
        await t.fill(page, "Title", "Licence");
        await t.fill(page, "What it means", `He has to live elsewhere. ${HOSTILE}`);
        await t.choose(page, /^Not sensitive/);
        await t.look(page, "answer");
        await t.button(page, "Send the answer");
        await done(page, "Children's social care is answered");
        await page.getByText("Not sent yet").first().waitFor();
    });
    await t.claim("the other is declined with a reason", async () => {
        await t.link(page, "Decline, and say why");
        await part(page, "Decline a question");
        await t.button(page, "Decline, and tell them why");
        await problem(page, "Say why your agency cannot answer");
        await t.fill(page, "Why can your agency not answer?", "We hold nothing on households.");
        await t.look(page, "decline");
        await t.button(page, "Decline, and tell them why");
        await done(page, /is told that you decline/);
    });
}

async function rating(t, w, page, room) {
    await tab(t, page, "Meeting and decision");
    await t.link(page, "Rate this case");
    await t.claim("a partner rates with a reason, still with no network", async () => {
        await t.button(page, "Save this rating");
        await problem(page, "Choose a rating");
        await t.choose(page, /^Amber/);
        await t.fill(page, "Why?", "He lives elsewhere now.");
        await t.look(page, "rate");
        await t.button(page, "Save this rating");
        await done(page, /Your rating is saved/);
    });
    await t.claim("the graver rating is shown, with “disputed”", async () => {
        await page.getByText("Rating disputed").first().waitFor();
        await page.getByText("Red", { exact: true }).first().waitFor();
    });
    await w.startHub();
    await contactNow(t, page);
    await sent(page);
    await contactNow(t, room);
    await tab(t, room, "Meeting and decision");
    await t.claim("social care decides the dispute, with a reason", async () => {
        await t.link(room, "Decide this dispute");
        await part(room, "Decide a dispute");
        await t.button(room, "Decide the dispute");
        await problem(room, "Choose what you decide");
        await t.choose(room, "The rating stays as it is");
        await t.fill(room, "Why?", "The mother still meets him.");
        await t.look(room, "dispute-decide");
        await t.button(room, "Decide the dispute");
        await done(room, "The dispute is decided");
        await room.getByText("The mother still meets him.").first().waitFor();
    });
    await sent(room);
    await t.claim("who still does not agree takes it to the operations manager", async () => {
        await t.link(page, /Take it to the operations manager/);
        await part(page, "Dispute the rating or the decision");
        await t.checked(page.getByRole("radio", { name: "The operations manager" }));
        await t.fill(page, "Why do you not agree?", "We see him every week.");
        await t.look(page, "dispute");
        await t.button(page, "Send the dispute");
        await done(page, "The dispute is sent");
        await page.getByText("The operations manager decides").waitFor();
    });
    await sent(page);
}

async function meeting(t, room) {
    await t.link(room, "Write down a meeting");
    await part(room, "Write down a meeting");
    await t.claim("a meeting needs what was said", async () => {
        await t.button(room, "Save the meeting");
        await problem(room, "Write what was said and agreed");
    });
    await t.fill(room, "What kind of meeting?", "MASH discussion");
    const now = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/London", day: "numeric", month: "numeric", year: "numeric" }).formatToParts(
        new Date(Date.now() - 86400000),
    );
    for (const [part_, name] of [
        ["day", "Day"],
        ["month", "Month"],
        ["year", "Year"],
    ])
        await t.fill(room, name, now.find((p) => p.type === part_).value);
    await t.fill(room, /^Time/, "10:00");
    await t.choose(room, "By video");
    await t.fill(room, "Who was in the chair?", "Sam Okafor");
    await t.fill(room, "What was said and agreed", `The children stay. ${HOSTILE}`);
    await t.claim("who took part and who did not agree are written down, known people and others", async () => {
        await t.button(room, "Add another person");
        const second = room.getByRole("group", { name: "Person 2" });
        await t.fill(room, "Who", "Jo Reed, Probation service", { within: second, exact: true });
        await t.fill(room, /What did they not agree with/, "The rating", { within: second });
        await t.button(room, "Add another person");
        const third = room.getByRole("group", { name: "Person 3" });
        await t.fill(room, "Who", "Somebody who is not in this list", { within: third, exact: true });
        await t.fill(room, "Name and agency", "Head teacher, Hill School", { within: third });
        await third.getByRole("checkbox", { name: "Was there" }).uncheck();
        await t.look(room, "meeting");
        await t.button(room, "Save the meeting");
        await done(room, "The meeting is written down");
        await t.sees(room, /Jo Reed did not agree/);
        await t.sees(room, /Head teacher, Hill School/);
    });
}

async function deciding(t, room) {
    await t.link(room, "Write down the decision");
    await part(room, "Write down the decision");
    await t.claim("a decision needs an outcome", async () => {
        await t.button(room, "Save the decision");
        await problem(room, "Write what is decided, and why");
    });
    await t.look(room, "decide");
    await t.claim("it is written down, with a new rating and its reason", async () => {
        await t.fill(room, "What is decided, and why?", "Social care assesses the family.");
        const outcome = room.getByRole("combobox", { name: "Outcome" });
        if (await outcome.count()) await outcome.selectOption({ index: 1 });
        else await t.fill(room, "Outcome", "Assessment");
        await t.fill(room, "Rating after what partners told", "Amber");
        await t.fill(room, "Why this rating?", "A plan is in place.");
        await t.button(room, "Save the decision");
        await done(room, "The decision is saved. Now tell its outcome");
        await part(room, "Outcome and feedback");
        await t.sees(room, "Social care assesses the family.");
    });
}

async function telling(t, w, room, page) {
    await t.claim("who has not been told stands there by name", async () => {
        await t.sees(room, /Not told yet: .*Probation service/);
    });
    await t.link(room, "Tell the outcome");
    await part(room, "Tell the outcome");
    await t.look(room, "outcome-tell");
    await t.claim("every partner is told at once, and the page says who has it", async () => {
        await t.fill(room, "What came of it", `Social care assesses the family. ${HOSTILE}`);
        await t.button(room, /^Tell 2 agencies/);
        await done(room, /told/);
        await room.getByText("Not confirmed yet").first().waitFor();
    });
    await sent(room);
    await t.claim("the partner hears it, and says that it has read it", async () => {
        await page.getByRole("navigation", { name: "Parts of this case" }).getByRole("link", { name: "Outcome and feedback (1)" }).waitFor({ timeout: CONTACT });
        await tab(t, page, "Outcome and feedback");
        await t.sees(page, HOSTILE);
        await t.look(page, "outcome");
        await t.button(page, "We have read this");
        await done(page, /is told that you have it/);
    });
    await sent(page);
    await t.claim("the MASH sees who confirmed, without a click", async () => {
        await room.getByText("They have it").first().waitFor({ timeout: CONTACT });
    });
}

async function work(t, room) {
    await tab(t, room, "Actions and plans");
    await t.look(room, "actions");
    await t.claim("an action is added and marked as done", async () => {
        await t.link(room, "Add an action");
        await t.fill(room, "What is to be done?", "Health visitor sees the baby");
        for (const [name, value] of [
            ["Day", "1"],
            ["Month", "2"],
            ["Year", String(new Date().getFullYear() + 1)],
        ])
            await t.fill(room, name, value);
        await t.look(room, "action-add");
        await t.button(room, "Add this action");
        await done(room, "The action is added");
        await t.link(room, /^Mark as done, or change/);
        await t.choose(room, "Done");
        await t.button(room, "Save how it stands");
        await done(room, "The action is changed");
    });
    await t.claim("a plan is added and ended", async () => {
        await t.link(room, "Add a plan");
        await t.fill(room, "What kind of plan?", "Child in need plan");
        await t.look(room, "plan-add");
        await t.button(room, "Add this plan");
        await done(room, "The plan is added");
        await t.link(room, /^It has ended/);
        await t.button(room, "Write down that it has ended");
        await done(room, "The plan has ended");
    });
    await t.claim("somebody is named who works on it", async () => {
        await t.link(room, "Name who works on it");
        await t.fill(room, "Who?", "Sam Okafor, Children's social care");
        await t.fill(room, "In which role?", "key worker");
        await t.look(room, "allocate");
        await t.button(room, "Name this person");
        await done(room, "The person is named");
        await t.sees(room, "key worker");
    });
    await t.claim("where the case stands is changed, and only that", async () => {
        await t.link(room, /Change where it stands/);
        await t.fill(room, "Presenting issue", "Injury");
        await t.look(room, "status");
        await t.button(room, "Save what you changed");
        await done(room, "The change is saved");
    });
    await t.claim("people, relations, addresses and warnings are added", async () => {
        await tab(t, room, "People and family tree");
        await t.link(room, "Add a person");
        await t.button(room, "Add this person");
        await problem(room, "Choose the role in this case");
        await t.look(room, "person-add");
        await t.fill(room, "First names", "Nan");
        await t.fill(room, "Role in this case", "Other person");
        await t.fill(room, "NHS number", "9434765918");
        await t.button(room, "Add this person");
        await done(room, "The person was added");
        await t.link(room, "Say how two people are related");
        await t.fill(room, "Who", "Nan", { exact: true });
        await t.fill(room, "is the", "grandmother (wider family)", { exact: true });
        await t.fill(room, "of", "Ella Moss", { exact: true });
        await t.sees(room, "Nan is the grandmother of Ella Moss.");
        await t.look(room, "relate");
        await t.button(room, "Save this relation");
        await done(room, "Nan is now the grandmother of Ella Moss");
        await room.getByRole("table", { name: "Everybody as a table" }).getByText("Grandmother of Ella Moss", { exact: true }).first().waitFor();
        await t.link(room, /^Add address or telephone.*Ruth Moss/);
        await t.fill(room, "What is it?", "Address");
        await t.fill(room, "Address, number or name", "2 Refuge Road");
        await t.tick(room, "It is protected: nobody may learn it");
        await t.look(room, "contact-add");
        await t.button(room, "Save it for your agency and the MASH alone");
        await done(room, "It is saved");
        await t.sees(room, "Protected: do not tell");
        await t.link(room, "Add a warning for everybody who visits");
        await t.fill(room, "What about?", "Dog");
        await t.fill(room, "What must people know before they visit or ring?", "It bites.");
        await t.button(room, "Warn everybody who takes part");
        await done(room, "The warning is added");
        await room
            .getByRole("region", { name: /^Warnings/ })
            .getByText("It bites.")
            .waitFor();
    });
    await t.claim("a warning that is wrong is taken back with a reason, and leaves every page", async () => {
        await t.link(room, /^Mark as a mistake.*It bites/);
        await part(room, "Mark an entry as a mistake");
        await t.look(room, "mistake");
        await t.fill(room, "What is wrong with it?", "The dog has died.");
        await t.button(room, "Mark as a mistake");
        await done(room, "The entry is marked as a mistake");
        await room.getByText("It bites.").first().waitFor({ state: "detached" });
    });
    await t.claim("a birth date is changed, and a date that is none is stopped", async () => {
        await t.link(room, /^Change.*Finn Moss/);
        const born = room.getByRole("group", { name: "Date of birth (optional)", exact: true });
        await t.fill(room, "Day", "31", { within: born });
        await t.fill(room, "Month", "2", { within: born });
        await t.button(room, "Save what you changed");
        await problem(room, /must be a real date/);
        await t.fill(room, "Day", "8", { within: born });
        await t.fill(room, "Month", "6", { within: born });
        await t.button(room, "Save what you changed");
        await done(room, "The change is saved");
        await room.getByRole("table", { name: "Everybody as a table" }).getByText("8 June 2021").waitFor();
    });
}

async function closing(t, room, c) {
    await tab(t, room, "Meeting and decision");
    await t.link(room, "Write down the decision");
    await part(room, "Write down the decision");
    await t.claim("closing a case needs a reason", async () => {
        await t.tick(room, "Close the case");
        await t.button(room, "Save the decision and close the case");
        await problem(room, "Choose why it is closed");
    });
    await t.look(room, "close");
    await t.claim("it is closed with one, and the page says so", async () => {
        await t.fill(room, "Why is it closed?", "Case closed after assessment, referred to early help");
        await t.button(room, "Save the decision and close the case");
        await done(room, "The decision is saved");
        await tab(t, room, "Overview");
        await room.getByText("Closed", { exact: true }).first().waitFor();
        await t.sees(room, "Case closed after assessment, referred to early help");
    });
    await t.claim("and leaves the board, where everybody still finds it among all cases", async () => {
        await t.link(room, "Board", { exact: true, within: room.getByRole("navigation", { name: "Menu" }) });
        await room.getByRole("region", { name: "Decided" }).waitFor();
        await t.absent(room.getByRole("link", { name: c.reference }));
        await t.tick(room, "Closed ones too");
        await room.getByRole("link", { name: c.reference }).first().waitFor();
    });
}
