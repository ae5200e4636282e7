// What the tests of a case's pages share: a family that several agencies know, and how a person walks through its
// pages.
import { CONTACT } from "./harness.mjs";
import { aCase } from "./story.mjs";

export const HOSTILE = `<img src=x onerror="alert(1)">"><script>alert(2)</script>{{7*7}}\${7*7}`;

/* A red case of the MASH that probation and health work on: a girl, her mother, a father who died, a stepfather, a
 * half-brother, a child still to be born, and a lodger. → {id, reference, person (the girl), people: {mother, …}} */
export async function aFamily(w) {
    const c = await aCase(w, { family: "Moss", given: "Ella", born: "2015-02-03" });
    const add = async (given, ...more) => (await w.json("mash", "person", "add", c.reference, "--family", "Moss", "--given", given, ...more)).id;
    const people = { girl: c.person };
    people.mother = await add("Ruth", "--role", "parent", "--sex", "2", "--born", "1990-01-02");
    people.father = await add("Adam", "--role", "parent", "--sex", "1");
    people.stepfather = await add("Karl", "--role", "other", "--sex", "1");
    people.brother = await add("Finn", "--role", "sibling", "--sex", "1", "--born", "2021-06-07");
    people.unborn = await add("Baby", "--role", "child", "--sex", "0");
    people.lodger = await add("Lew", "--role", "other");
    await w.node("mash", "person", "set", people.father, "died_on=2019-01-01");
    await w.node("mash", "person", "set", people.unborn, "expected_on=2027-03-01");
    await w.node("mash", "person", "set", people.girl, "sex=2");
    const kin = (person, relative, kind) => w.node("mash", "kin", "add", c.reference, people[person], people[relative], kind);
    await kin("girl", "mother", "mother");
    await kin("girl", "father", "father");
    await kin("girl", "stepfather", "step-father");
    await kin("brother", "mother", "mother");
    await kin("brother", "stepfather", "father");
    await kin("unborn", "mother", "mother");
    await kin("mother", "stepfather", "cohabiting");
    for (const agency of ["probation", "health"])
        await w.node("mash", "case", "share", c.reference, agency, "--access", "contribute", "--basis", "Working Together 2023");
    return { ...c, people };
}

// The heading of a part of a case, or of one of its forms.
export const part = (page, name) => page.getByRole("heading", { level: 2, name }).waitFor({ state: "visible" });
export async function tab(t, page, name, title = name) {
    await t.link(page, new RegExp(`^${name}`), { within: page.getByRole("navigation", { name: "Parts of this case" }) });
    await part(page, title);
}
// What an act said when it was done, at the top of the page that came.
export const done = (page, text) => page.getByRole("alert").filter({ hasText: text }).first().waitFor({ state: "visible" });
// Everything has left this device.
export const sent = (page) => page.getByText("Nothing is held only on this device").waitFor({ timeout: CONTACT });
/* The hub is back: contact now, as the button of the page about contact asks for it. By itself a device that has failed for a
 * while tries again within a minute, which is another test's claim (referral). */
export async function contactNow(t, page) {
    const { status } = await t.asks(page, "/api/sync", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    if (status !== 202) throw new Error(`contact was asked for, and the answer was ${status}`);
}
// The page shows an error summary with this line, and a person can follow it.
export async function problem(page, text) {
    await page.getByRole("heading", { name: "There is a problem" }).waitFor();
    await page.getByRole("alert").getByText(text).first().waitFor();
}
// Opens the pages of a node at a part of the case, and signs in.
export async function openCase(t, w, url, site, path) {
    const page = await t.open(url, { path });
    await t.signIn(page, w.passphrase(site));
    return page;
}
