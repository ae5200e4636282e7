// Where everybody stands in a genogram. Generations come from @dagrejs/dagre; between the ranks of people lie ranks of
// unions (two parents, or one), from which their children hang. Lines are right-angled; those that would lie upon one
// another are set apart by a few units. Pure: the same people and kin give the same drawing.
import dagre from "@dagrejs/dagre";
import { family } from "./kin.js";

export const size = { symbol: 44, node: 212, height: 62 };
const gap = { rank: 24, node: 18, apart: 7, edge: 16, row: 22 };

function rankAll(model) {
    const g = new dagre.graphlib.Graph({ multigraph: true });
    g.setGraph({ rankdir: "TB", ranksep: gap.rank, nodesep: gap.node, marginx: gap.edge, marginy: gap.edge });
    g.setDefaultEdgeLabel(() => ({}));
    for (const p of model.related) g.setNode(p.id, { width: size.node, height: size.height });
    for (const u of model.unions) {
        g.setNode(u.id, { width: 16, height: 16 });
        for (const id of u.parents) g.setEdge(id, u.id, { weight: 2 });
        for (const id of u.children.keys()) g.setEdge(u.id, id, { weight: 1 });
    }
    model.ties.forEach((t, i) => g.setEdge(t.from, t.to, { minlen: t.ranks, weight: 1 }, `tie ${i}`));
    if (model.related.length !== 0) dagre.layout(g);
    return g;
}

function placePeople(model, g) {
    const places = new Map();
    for (const p of model.related) {
        const n = g.node(p.id);
        places.set(p.id, { person: p, x: n.x - size.node / 2 + size.symbol / 2, y: n.y, ways: { up: 0, down: 0 } });
    }
    return places;
}

// The people without a line stand in rows of their own beneath.
function placeLoose(model, places, width, height) {
    const across = Math.max(3, Math.floor(width / (size.node + gap.node)));
    model.loose.forEach((p, i) => {
        places.set(p.id, {
            person: p,
            ways: { up: 0, down: 0 },
            x: gap.edge + (i % across) * (size.node + gap.node) + size.symbol / 2,
            y: height + gap.row + Math.floor(i / across) * (size.height + gap.node) + size.height / 2,
        });
    });
    const rows = Math.ceil(model.loose.length / across);
    return {
        width: Math.max(width, gap.edge * 2 + Math.min(model.loose.length, across) * (size.node + gap.node)),
        height: rows === 0 ? height : height + gap.row * 2 + rows * (size.height + gap.node),
    };
}

// Where a line leaves or meets a symbol: its middle first, then to the right and left of it.
function port(place, way) {
    const n = place.ways[way]++;
    const step = Math.ceil(n / 2) * (n % 2 === 1 ? 9 : -9);
    return place.x + Math.max(-18, Math.min(18, step));
}

function drawUnion(u, places, g, slot) {
    const at = g.node(u.id);
    const shift = ((slot % 5) - 2) * gap.apart;
    const y = at.y + shift;
    const ends = u.parents
        .map((id) => places.get(id))
        .sort((a, b) => a.x - b.x)
        .map((p) => ({ x: port(p, "down"), y: p.y + size.symbol / 2 }));
    const middle = at.x - size.node / 2 + size.symbol / 2; // under symbols, not under their names
    const x = ends.length === 2 ? Math.max(ends[0].x, Math.min(ends[1].x, middle)) : middle;
    const bond =
        ends.length === 2 ? [`M${ends[0].x} ${ends[0].y}V${y}H${ends[1].x}V${ends[1].y}`] : ends.map((e) => `M${e.x} ${e.y}V${y}H${x}`);
    const lines = [...u.children].map(([id, style]) => {
        const child = places.get(id);
        const top = child.y - size.symbol / 2;
        const bar = Math.max(y + 6, top - 16 + shift / 2);
        return { key: `${u.id} ${id}`, d: `M${x} ${y}V${bar}H${port(child, "up")}V${top}`, dashed: style !== "birth" };
    });
    const mark =
        ends.length === 2 ? { x: (ends[0].x + ends[1].x) / 2 + (Math.abs((ends[0].x + ends[1].x) / 2 - x) < 8 ? 16 : 0), y } : null;
    return { id: u.id, bond: u.bond, path: bond.join(""), lines, mark };
}

function drawTie(t, i, places) {
    const a = places.get(t.from);
    const b = places.get(t.to);
    const middle = (a.y + b.y) / 2;
    const [x1, x2] = [port(a, "down"), port(b, "up")];
    return {
        key: `tie ${i}`,
        label: t.label,
        x: x1 + 6,
        y: a.y + size.symbol / 2 + 13,
        d: `M${x1} ${a.y + size.symbol / 2}V${middle}H${x2}V${b.y - size.symbol / 2}`,
    };
}

// {width, height, people: [{person, x, y, note}], unions, ties}
export function layout(people, kinship) {
    const model = family(people, kinship);
    const g = rankAll(model);
    const frame = g.graph();
    const places = placePeople(model, g);
    const drawn = model.related.length !== 0;
    const extent = placeLoose(model, places, drawn ? frame.width : 0, drawn ? frame.height : 0);
    const slots = new Map();
    const unions = [...model.unions]
        .sort((a, b) => g.node(a.id).x - g.node(b.id).x)
        .map((u) => {
            const rank = Math.round(g.node(u.id).y);
            slots.set(rank, (slots.get(rank) ?? 0) + 1);
            return drawUnion(u, places, g, slots.get(rank) + 1);
        });
    const ties = model.ties.map((t, i) => drawTie(t, i, places));
    const names = new Map(people.map((p) => [p.id, p.name]));
    const note = new Map();
    for (const o of model.others) note.set(o.id, `${o.label} of ${names.get(o.of)}`);
    return {
        ...extent,
        unions,
        ties,
        people: [...places.values()].map(({ person, x, y }) => ({ person, x, y, note: note.get(person.id) ?? null })),
    };
}
