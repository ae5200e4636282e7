// Words of the case pages: what stands in a column, as people say it.

// Words come from other people's devices: "constructor" must find nothing in a table.
const own = (table, word) => (Object.hasOwn(table, word ?? "") ? table[word] : undefined);
const pick = (table, word, other) => own(table, word) ?? other ?? (word == null || word === "" ? "not said" : String(word));

const results = {
    known: "Known to them",
    not_known: "Not known to them",
    nothing_relevant: "Known, but nothing that bears on this",
};
export const resultWords = (w) => pick(results, w);

const sensitivities = {
    open: "Shared",
    sensitive: "Sensitive",
    restricted: "Restricted",
};
export const sensitivityWords = (w) => pick(sensitivities, w, "Shared");

const sights = {
    all: "Everybody who takes part in this case sees this.",
    room: "Only your agency and the MASH see this. Others have to ask you for permission to share.",
    nobody_consent:
        "Nobody else can see this: it waits for consent. If a child may be at risk of significant harm you may " +
        "share without consent: say why.",
    nobody_restricted: "Nobody else can see this: you marked it for your agency alone.",
    nobody_voided: "Only your agency and the MASH see this: it is marked as a mistake.",
};
export const sightWords = (w) => own(sights, w) ?? null;

const accesses = {
    none: "Sees nothing any more",
    check: "Is asked what it knows",
    view: "Reads the case",
    contribute: "Works on the case",
};
export const accessWords = (w) => pick(accesses, w);
export const accessMeans = {
    check: "It sees who the case is about, the warnings and what it is asked. It sees no other agency’s records.",
    view: "It reads everything that is shared. It can confirm that it heard the outcome, and can change nothing.",
    contribute: "It reads everything that is shared, and adds people, records and actions.",
    none: "It keeps what it wrote itself and what it was told.",
};

const hows = {
    whole: "Whole: a copy of the record",
    redacted: "Redacted: in the owner’s words",
    spoken: "By word of mouth: no text",
};
export const howWords = (w) => pick(hows, w);

const consents = {
    given: "Given",
    refused: "Refused",
    withdrawn: "Withdrawn",
    not_sought: "Not sought",
};
export const consentWords = (w) => pick(consents, w);

const roles = {
    child: "Child",
    adult: "Adult",
    carer: "Carer",
    parent: "Parent",
    sibling: "Brother or sister",
    other: "Other person",
    perpetrator: "Alleged perpetrator",
};
export const roleWords = (w) => pick(roles, w, w ? undefined : "Role not said");
export const roleItems = Object.entries(roles);

const sexes = {
    0: "Not recorded or unborn",
    1: "Male",
    M: "Male",
    2: "Female",
    F: "Female",
    9: "Neither or not stated",
    U: "Not recorded",
};
export const sexWords = (w) => pick(sexes, w, w ? undefined : "Not recorded");

const statuses = { new: "New", gathering: "Gathering information", ready: "Ready to meet", decided: "Decided", closed: "Closed" };
export const statusWords = (w) => pick(statuses, w);
export const statusItems = Object.entries(statuses);

const schemes = {
    nhs: "NHS number",
    upn: "Unique pupil number",
    pnc: "Police (PNC) number",
    crn: "Probation case number (CRN)",
    nomis: "Prison (NOMIS) number",
    uprn: "Property number (UPRN)",
    la_child_id: "Council’s child number",
};
export const schemeWords = (w) => pick(schemes, w);

const contactKinds = {
    address: "Address",
    phone: "Telephone",
    mobile: "Mobile telephone",
    email: "E-mail",
    school: "School or nursery",
    gp: "GP surgery",
    other: "Other",
};
export const contactWords = (w) => pick(contactKinds, w);
export const contactItems = Object.entries(contactKinds);

const warningKinds = {
    violence: "Violence to staff",
    dog: "Dog",
    weapon: "Weapons",
    infection: "Infection",
    address: "Do not visit alone",
    contact: "Do not contact",
    other: "Other",
};
export const warningWords = (w) => pick(warningKinds, w);
export const warningItems = Object.entries(warningKinds);

const recordKinds = {
    note: "Note",
    visit: "Visit",
    contact: "Contact with the family",
    incident: "Incident",
    concern: "Concern",
    assessment: "Assessment",
    analysis: "Analysis",
    health: "Health",
    education: "School or nursery",
    offence: "Offence or sentence",
    housing: "Housing",
    substance: "Alcohol or drugs",
    mental_health: "Mental health",
    domestic_abuse: "Domestic abuse",
};
const entryKinds = {
    record: "Record",
    release: "Told to your agency",
    told: "Told to your agency",
    rating: "Rating",
    request: "Question asked",
    answer: "Answer",
    meeting: "Meeting",
    decision: "Decision",
    plan: "Plan began",
    "plan-end": "Plan ended",
    episode: "Plan",
    feedback: "Outcome told",
    referral: "Referral",
    challenge: "Dispute",
    action: "Action",
};
export const kindWords = (w) => own(recordKinds, w) ?? own(entryKinds, w) ?? plain(w);
export const recordKindItems = Object.entries(recordKinds);

const planKinds = {
    child_protection: "Child protection plan",
    cp: "Child protection plan",
    cpp: "Child protection plan",
    cin: "Child in need plan",
    looked_after: "Looked-after child",
    early_help: "Early help plan",
    marac: "MARAC (high-risk domestic abuse)",
    mappa: "MAPPA (public protection)",
    ehcp: "Education, health and care plan",
    licence: "Licence or order",
    s47: "Section 47 enquiry",
    assessment: "Assessment",
    icpc: "Child protection conference",
    adult_protection: "Adult safeguarding plan",
};
export const planWords = (w) => pick(planKinds, w, plain(w));
export const planItems = [
    "child_protection",
    "cin",
    "looked_after",
    "early_help",
    "marac",
    "mappa",
    "ehcp",
    "licence",
    "adult_protection",
].map((k) => [k, planKinds[k]]);

const meetingKinds = {
    mash: "MASH discussion",
    strategy: "Strategy discussion",
    marac: "MARAC",
    conference: "Child protection conference",
    professionals: "Professionals’ meeting",
    review: "Review",
    other: "Other",
};
export const meetingWords = (w) => pick(meetingKinds, w, plain(w));
export const meetingItems = Object.entries(meetingKinds);

const modes = { room: "In the room", video: "By video", phone: "By telephone", mixed: "Some in the room, some not" };
export const modeWords = (w) => pick(modes, w);
export const modeItems = Object.entries(modes);

const outcomes = {
    nfa: "No further action",
    information: "Information and advice",
    early_help: "Early help",
    assessment: "Assessment by social care",
    strategy: "Strategy discussion or section 47 enquiry",
    adult: "Adult safeguarding enquiry",
    marac: "Referred to MARAC",
    other_service: "Passed to another service",
};
export const outcomeWords = (w) => pick(outcomes, w);
export const outcomeItems = Object.entries(outcomes);

const channels = { spoke: "Here, in Spoke", email: "Secure e-mail", phone: "By telephone", letter: "By letter", person: "In person" };
export const channelWords = (w) => pick(channels, w);
export const channelItems = Object.entries(channels);

export const clockWords = { reply: "Answers", meeting: "Meeting", decision: "Decision" };
export const capacityWords = (w) => pick({ has: "Has the capacity to decide this", lacks: "Lacks the capacity to decide this" }, w);
export const stageWords = (w) => pick({ initial: "First rating", final: "Rating after what partners told" }, w);
export const actionWords = (w) => pick({ open: "To do", done: "Done", cancelled: "Not needed any more" }, w);
export const challengeWords = (w) => pick({ open: "Waits for a decision", upheld: "Upheld", dismissed: "Not upheld" }, w);

export function plain(word) {
    const text = String(word ?? "")
        .replaceAll("_", " ")
        .trim();
    return text === "" ? "not said" : text[0].toUpperCase() + text.slice(1);
}
