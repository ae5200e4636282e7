// What happened before a test begins, by the commands that people have: cases, people, questions.

// A case at the MASH with a child. → {id, reference, person}
export async function aCase(w, { at = "mash", rag = "red", summary = "Bruises seen at school", family = "Moss", given = "Ella", born = "2015-02-03", subject = "child", role = "child" } = {}) {
    const made = await w.json(at, "case", "new", "--area", "north", "--source", "2A", "--need", "N1", "--summary", summary, "--subject", subject, "--rag", rag, "--reason", "What was seen");
    const person = await w.json(at, "person", "add", made.reference, "--family", family, "--given", given, "--born", born, "--role", role);
    return { id: made.id, reference: made.reference, person: person.id };
}
// The MASH asks an agency. → the request's id
export async function ask(w, of, agency, question, { at = "mash" } = {}) {
    const made = await w.json(at, "request", "send", of.reference, agency, "--question", question, "--basis", "Working Together 2023");
    return made.id || made.request?.id;
}
// A moment of a row that the site wrote itself moves: for what is overdue without waiting for it.
export async function move(w, at, table, id, column, minutes) {
    const when = Date.now() + minutes * 60000;
    await w.node(at, "sql", "--write", `update ${table} set ${column} = ${when} where id = x'${id.replaceAll("-", "")}'`);
}
