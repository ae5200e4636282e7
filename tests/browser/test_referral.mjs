// A new referral, by a partner, offline and back: what is missing is said, a duplicate is shown, and red is said loudly.
import { CONTACT, run } from "./harness.mjs";
import { sent } from "./case_story.mjs";
import { aCase } from "./story.mjs";

const HOSTILE = `<img src=x onerror="alert(1)">"><script>alert(2)</script>{{7*7}}`;

await run("referral", async (t, w) => {
    const earlier = await aCase(w, { at: "probation", rag: "green", family: "Moss", given: "Ella" });
    await w.inStep();
    await w.stopHub();
    const url = await w.serve("probation");
    const page = await t.open(url);
    await t.signIn(page, w.passphrase("probation"));
    await t.link(page, "New referral", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
    await t.heading(page, "New referral");
    await t.look(page, "referral");
    await missing(t, page);
    await people(t, page, earlier);
    const reference = await save(t, page);
    await bannerEverywhere(t, page, reference);
    await hostile(t, page, url);
    const adult = await adults(t, page, url);
    await back(t, w, page, reference, adult);
}, { sites: ["mash", "probation"] });

async function missing(t, page) {
    await t.claim("what is missing is listed, and each line leads to its field", async () => {
        await t.button(page, "Save and send the referral");
        await page.getByRole("heading", { name: "There is a problem" }).waitFor();
        await t.focused(page, ".govuk-error-summary");
        await t.link(page, "Choose how urgent this is");
        await t.focused(page, "#rag");
    });
    await t.look(page, "referral-missing");
}

async function people(t, page, earlier) {
    await t.fill(page, "Who referred", "Schools", { exact: true });
    await t.fill(page, "Primary need", "Abuse or neglect");
    await t.fill(page, "What has happened", "Told her teacher that she is afraid to go home.");
    await t.fill(page, "Given names", "Ella");
    await t.fill(page, "Family name", "Moss");
    await t.claim("somebody who is here already is shown with a link, before anything is sent", async () => {
        const found = page.getByRole("group", { name: "This may be somebody who is here already" });
        await found.getByRole("link", { name: earlier.reference }).waitFor();
    });
    for (const [part, value] of [["Day", "3"], ["Month", "2"], ["Year", "2015"]]) await t.fill(page, part, value);
    await t.claim("the effect of consent that was refused is spelled out", async () => {
        await t.choose(page, "Refused");
        await t.sees(page, /stay with the agency that wrote them/);
        await t.fill(page, "What was said", "The mother does not want it.");
    });
    await t.claim("more people can be added", async () => {
        await t.button(page, "Add another person");
        const second = page.getByRole("group", { name: "Person 2" });
        await t.fill(page, "Who this is", "Parent", { within: second });
        await t.fill(page, "Given names", "Tom", { within: second });
        await t.fill(page, "Family name", "Moss", { within: second });
        await t.choose(page, "Not asked for", { within: second });
        await t.fill(page, "Why nobody has asked", "He may hurt her.", { within: second });
    });
    await t.claim("an adult stands beside the child, with a consent of their own", async () => {
        await t.button(page, "Add another person");
        const third = page.getByRole("group", { name: "Person 3" });
        await t.fill(page, "Who this is", "Adult", { within: third });
        await t.fill(page, "Given names", "Ivy", { within: third });
        await t.fill(page, "Family name", "Moss", { within: third });
        await t.choose(page, "Given", { within: third, exact: true });
        await t.absent(third.getByRole("radio", { name: "Not born yet" }));
    });
    await t.claim("what was typed is there again after a look at another page", async () => {
        await t.link(page, "Back to the board, keeping what I typed");
        await t.heading(page, "Board");
        await t.link(page, "New referral", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
        await t.value(page.getByRole("textbox", { name: "What has happened" }), /^Told her teacher/);
    });
}

async function save(t, page) {
    await t.choose(page, "Red");
    await t.fill(page, "Why you rate it so", "She may be hurt tonight.");
    await t.claim("a red rating says at once to telephone as well, with the number of the hour", async () => {
        await page.getByRole("group", { name: "Telephone as well" }).getByText("01632 960100").waitFor();
    });
    let reference = null;
    await t.claim("it is saved with no network, and the page says that the MASH does not have it", async () => {
        await t.button(page, "Save and send the referral");
        await page.getByRole("heading", { level: 1, name: /is saved/ }).waitFor();
        reference = (await t.reads(page.getByRole("heading", { level: 1 }), /C-\w+/)).match(/C-\w+/)[0];
        await page.getByRole("group", { name: "The MASH does NOT have this yet" }).getByText(/phone 01632 960100/).waitFor();
    });
    await t.look(page, "referral-saved");
    return reference;
}

async function bannerEverywhere(t, page, reference) {
    for (const name of ["Board", "New referral", "Requests"])
        await t.claim(`“${name}” says: The MASH does NOT have this yet, with reference and number`, async () => {
            await t.link(page, name, { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
            const banner = page.getByRole("alert").filter({ hasText: "The MASH does NOT have this yet. Phone 01632 960100" });
            await banner.getByRole("link", { name: reference }).waitFor();
        });
}

async function hostile(t, page, url) {
    await page.goto(`${url}/new`);
    await t.fill(page, "Who referred", "Schools", { exact: true });
    await t.fill(page, "Primary need", "Abuse or neglect");
    for (const label of ["Name of the person who referred", "Presenting issue", "What has happened", "Given names", "Family name", "Your own reference"])
        await t.fill(page, label, HOSTILE);
    await t.choose(page, "Given", { exact: true });
    await t.choose(page, "Blue");
    await t.fill(page, "Why you rate it so", HOSTILE);
    await t.button(page, "Save and send the referral");
    await page.getByRole("heading", { level: 1, name: /is saved/ }).waitFor();
    await t.link(page, "Go to the board");
    await t.claim("hostile text in every field is shown as text, and runs nothing", async () => {
        await page.getByText(HOSTILE, { exact: false }).first().waitFor();
        await t.absent(page.locator("main img, main script"));
    });
}

// A referral of an adult at risk, with a child in the house.
async function adults(t, page, url) {
    await page.goto(`${url}/new`);
    const first = page.getByRole("group", { name: "Person 1" });
    const role = first.getByRole("combobox", { name: "Who this is" });
    await t.claim("an adult at risk: whoever has no name yet is the adult, and back again", async () => {
        await t.choose(page, "An adult at risk");
        await t.value(role, "adult");
        await t.choose(page, "A child or children");
        await t.value(role, "child");
    });
    await t.claim("an adult at risk: a child to be born who becomes an adult is asked for a name and a birth date", async () => {
        await t.choose(page, "Not born yet", { within: first });
        await t.fill(page, "Who this is", "Adult", { within: first });
        await first.getByRole("group", { name: /^Date of birth/ }).waitFor();
        await t.fill(page, "Who this is", "Child", { within: first });
        await t.choose(page, "Yes, born", { within: first });
    });
    await t.fill(page, "Who referred", "Police", { exact: true });
    await t.fill(page, "Primary need", "Cases other than children in need");
    await t.fill(page, "What has happened", "Found at the bus stop at night, not knowing the way home.");
    await t.fill(page, "Given names", "Ada", { within: first });
    await t.fill(page, "Family name", "Hart", { within: first });
    for (const [part, value] of [["Day", "9"], ["Month", "7"], ["Year", "1941"]]) await t.fill(page, part, value, { within: first });
    await t.choose(page, "Refused", { within: first });
    await t.fill(page, "What was said", "She wants no fuss.", { within: first });
    await t.choose(page, "Amber");
    await t.fill(page, "Why you rate it so", "It was the third time.");
    await t.claim("an adult at risk: where nobody is marked as the adult it is not sent, and the page says what to choose", async () => {
        await t.choose(page, "An adult at risk");
        await t.button(page, "Save and send the referral");
        await page.getByRole("heading", { name: "There is a problem" }).waitFor();
        await t.focused(page, ".govuk-error-summary");
        await t.link(page, "Say whom it is about: choose “Adult” for one of the people");
        await t.focused(page, "#person-0-role");
    });
    await t.look(page, "referral-adult");
    await t.claim("an adult at risk: saved with no network, with a child of the house", async () => {
        await t.fill(page, "Who this is", "Adult", { within: first });
        await t.button(page, "Add another person");
        const second = page.getByRole("group", { name: "Person 2" });
        await t.fill(page, "Who this is", "Child", { within: second });
        await t.fill(page, "Given names", "Tim", { within: second });
        await t.choose(page, "Given", { within: second, exact: true });
        await t.button(page, "Save and send the referral");
        await page.getByRole("heading", { level: 1, name: /is saved/ }).waitFor();
    });
    const reference = (await t.reads(page.getByRole("heading", { level: 1 }), /C-\w+/)).match(/C-\w+/)[0];
    await t.claim("an adult at risk: the board shows it among the adults, and not among the children", async () => {
        await t.link(page, "Go to the board");
        await t.fill(page, "Children or adults", "Adults");
        await page.getByRole("link", { name: reference }).first().waitFor();
        await t.fill(page, "Children or adults", "Children");
        await page.getByRole("link", { name: reference }).waitFor({ state: "detached" });
        await t.fill(page, "Children or adults", "Both");
        await page.getByRole("link", { name: reference }).first().waitFor();
    });
    return reference;
}

async function arrived(w, reference) {
    const people = await w.sql("mash", `select p.role, k.state, c.subject_kind from person p join case_file c on c.id = p.case_id left join consent k on k.person_id = p.id where c.reference = '${reference}' order by p.role`);
    return people.map((p) => `${p.role} ${p.state} (${p.subject_kind})`).join(", ");
}

async function back(t, w, page, reference, adult) {
    await w.startHub();
    await t.claim("when there is contact the referral leaves, and the page says so by itself", async () => {
        // After a long time without a hub the device tries once a minute.
        await page.getByText("The MASH does NOT have this yet").first().waitFor({ state: "detached", timeout: CONTACT });
        await page.getByText("Online").first().waitFor({ timeout: CONTACT });
        await sent(page);
    });
    await w.json("mash", "sync");
    const there = await w.sql("mash", `select rag from case_file where reference = '${reference}'`);
    t.equal("the MASH has it, red", "red", there[0]?.rag);
    t.equal("with its people and their consent", "adult given (child), child refused (child), parent not_sought (child)", await arrived(w, reference));
    t.equal("an adult at risk: the MASH has it as an adult's, with each one's consent", "adult refused (adult), child given (adult)", await arrived(w, adult));
}
