// How two people of a case are related: the words that a form offers, and what a genogram makes of any word that it
// finds. A kinship row says "the relative is the KIND of the person". The column is free text, so what another agency
// wrote may be none of these: it is then shown in its own words.

export const kinds = [
    {
        group: "Parents and carers",
        items: [
            ["mother", "mother"],
            ["father", "father"],
            ["step_mother", "step-mother"],
            ["step_father", "step-father"],
            ["adoptive_mother", "adoptive mother"],
            ["adoptive_father", "adoptive father"],
            ["foster_carer", "foster carer"],
            ["guardian", "guardian"],
            ["carer", "carer"],
        ],
    },
    {
        group: "Couples",
        items: [
            ["married", "husband, wife or civil partner"],
            ["cohabiting", "partner (living together)"],
            ["partner", "partner"],
            ["separated", "separated partner"],
            ["divorced", "divorced partner"],
            ["ex_partner", "former partner"],
        ],
    },
    {
        group: "Brothers and sisters",
        items: [
            ["sibling", "brother or sister"],
            ["twin", "twin"],
            ["half_sibling", "half-brother or half-sister"],
            ["step_sibling", "step-brother or step-sister"],
        ],
    },
    {
        group: "Wider family",
        items: [
            ["grandmother", "grandmother"],
            ["grandfather", "grandfather"],
            ["aunt", "aunt"],
            ["uncle", "uncle"],
            ["cousin", "cousin"],
            ["other_relative", "other relative"],
        ],
    },
    {
        group: "Not related",
        items: [
            ["lodger", "lodger"],
            ["friend", "friend of the family"],
            ["neighbour", "neighbour"],
            ["unrelated", "unrelated, in the household"],
        ],
    },
];

const words = new Map(kinds.flatMap((g) => g.items));
// Tables without a prototype: kinds are free text, and "constructor" must find nothing.
const key = (kind) =>
    String(kind ?? "")
        .trim()
        .toLowerCase()
        .replace(/[\s-]+/g, "_");

export const kinWords = (kind) => words.get(key(kind)) ?? (String(kind ?? "").trim() || "relation not said");

const parent = {
    __proto__: null,
    mother: "birth",
    father: "birth",
    parent: "birth",
    step_mother: "step",
    step_father: "step",
    step_parent: "step",
    stepmother: "step",
    stepfather: "step",
    adoptive_mother: "adopted",
    adoptive_father: "adopted",
    adoptive_parent: "adopted",
    foster_carer: "foster",
    foster_mother: "foster",
    foster_father: "foster",
    foster_parent: "foster",
    guardian: "care",
    special_guardian: "care",
    carer: "care",
};
const child = {
    __proto__: null,
    son: "birth",
    daughter: "birth",
    child: "birth",
    step_son: "step",
    step_daughter: "step",
    step_child: "step",
    stepson: "step",
    stepdaughter: "step",
    adopted_son: "adopted",
    adopted_daughter: "adopted",
    adopted_child: "adopted",
    foster_child: "foster",
    foster_son: "foster",
    foster_daughter: "foster",
};
const couple = {
    __proto__: null,
    married: "together",
    husband: "together",
    wife: "together",
    spouse: "together",
    civil_partner: "together",
    partner: "cohabiting",
    cohabiting: "cohabiting",
    cohabitee: "cohabiting",
    boyfriend: "cohabiting",
    girlfriend: "cohabiting",
    separated: "separated",
    separated_partner: "separated",
    ex_partner: "separated",
    former_partner: "separated",
    ex_husband: "divorced",
    ex_wife: "divorced",
    divorced: "divorced",
};
const sibling = new Set([
    "sibling",
    "brother",
    "sister",
    "twin",
    "half_sibling",
    "half_brother",
    "half_sister",
    "step_sibling",
    "step_brother",
    "step_sister",
]);
const elder = {
    __proto__: null,
    // generations above the person, in ranks of the drawing (two for each)
    grandmother: 4,
    grandfather: 4,
    grandparent: 4,
    great_grandmother: 6,
    great_grandfather: 6,
    aunt: 2,
    uncle: 2,
};
const younger = {
    __proto__: null,
    grandson: 4,
    granddaughter: 4,
    grandchild: 4,
    nephew: 2,
    niece: 2,
};
const ending = {
    __proto__: null,
    together: 0,
    cohabiting: 1,
    separated: 2,
    divorced: 3,
};

const pair = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);

function sortIn(model, row) {
    const { person_id: person, relative_id: relative } = row;
    const k = key(row.kind);
    if (parent[k]) return addParent(model, person, relative, parent[k]);
    if (child[k]) return addParent(model, relative, person, child[k]);
    if (couple[k]) {
        const before = model.couples.get(pair(person, relative));
        if (before === undefined || ending[couple[k]] > ending[before]) {
            model.couples.set(pair(person, relative), couple[k]); // what ended stays ended
        }
        return undefined;
    }
    if (sibling.has(k)) return model.siblings.push([person, relative, k]);
    if (elder[k]) return model.ties.push({ from: relative, to: person, ranks: elder[k], label: kinWords(row.kind) });
    if (younger[k]) return model.ties.push({ from: person, to: relative, ranks: younger[k], label: kinWords(row.kind) });
    return model.others.push({ id: relative, of: person, label: kinWords(row.kind) });
}

function addParent(model, childId, parentId, style) {
    if (!model.parents.has(childId)) model.parents.set(childId, new Map());
    const all = model.parents.get(childId);
    if (all.get(parentId) !== "birth") all.set(parentId, style);
}

function unionOf(model, parents) {
    const name = parents.join(" ") || `sibship ${model.unions.size}`;
    if (!model.unions.has(name)) {
        model.unions.set(name, {
            id: `union ${name}`,
            parents,
            children: new Map(),
            bond: parents.length === 2 ? (model.couples.get(pair(parents[0], parents[1])) ?? "together") : "together",
        });
    }
    return model.unions.get(name);
}

// A child hangs under the two parents of one sort: half-brothers and -sisters under two unions that share a parent.
function addUnions(model) {
    for (const [childId, all] of model.parents) {
        const sorts = new Map();
        for (const [parentId, style] of all) sorts.set(style, [...(sorts.get(style) ?? []), parentId]);
        for (const [style, ids] of sorts) {
            ids.sort();
            const wide = style === "step" ? 1 : 2; // step-parents are a couple with a parent, not with each other
            for (let i = 0; i < ids.length; i += wide) {
                unionOf(model, ids.slice(i, i + wide)).children.set(childId, style);
            }
        }
    }
    for (const name of model.couples.keys()) unionOf(model, name.split(" "));
}

function addSiblings(model) {
    const shares = (a, b) => [...model.unions.values()].some((u) => u.children.has(a) && u.children.has(b));
    for (const [a, b, k] of model.siblings) {
        if (shares(a, b)) continue;
        const open = [...model.unions.values()].find((u) => u.parents.length === 0 && (u.children.has(a) || u.children.has(b)));
        const u = open ?? unionOf(model, []);
        const style = k.startsWith("step") ? "step" : "birth";
        u.children.set(a, style);
        u.children.set(b, style);
    }
}

// What is drawn: unions of up to two parents with their children, ties over generations, and people without a line,
// with what is said of them in words.
export function family(people, kinship) {
    const known = new Set(people.map((p) => p.id));
    const model = { parents: new Map(), couples: new Map(), siblings: [], ties: [], others: [], unions: new Map() };
    for (const row of kinship) {
        if (!known.has(row.person_id) || !known.has(row.relative_id) || row.person_id === row.relative_id) continue;
        sortIn(model, row);
    }
    addUnions(model);
    addSiblings(model);
    const unions = [...model.unions.values()];
    const drawn = new Set(unions.flatMap((u) => [...u.parents, ...u.children.keys()]));
    for (const t of model.ties) drawn.add(t.from).add(t.to);
    return {
        unions,
        ties: model.ties,
        others: model.others,
        related: people.filter((p) => drawn.has(p.id)),
        loose: people.filter((p) => !drawn.has(p.id)),
    };
}

// The same in sentences for one person, for the table: "mother of Ada Example".
export function kinSentences(person, people, kinship) {
    const name = new Map(people.map((p) => [p.id, p.name]));
    const said = [];
    for (const row of kinship) {
        if (row.relative_id === person.id && name.has(row.person_id)) {
            said.push({ id: row.id, row, text: `${kinWords(row.kind)} of ${name.get(row.person_id)}` });
        } else if (row.person_id === person.id && name.has(row.relative_id)) {
            said.push({ id: row.id, row, text: `${kinWords(row.kind)}: ${name.get(row.relative_id)}` });
        }
    }
    return said.map((one) => ({ ...one, text: one.text.charAt(0).toUpperCase() + one.text.slice(1) }));
}
