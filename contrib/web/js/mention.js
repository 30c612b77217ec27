// SPDX-License-Identifier: BSD-2-Clause
// Mentions in a text: where one is being typed, who may be meant, whom a text mentions, and where. A mention is an @ and a
// label: the person's name or id, or a word for everyone. Knows nothing of the page.

export const EVERYONE = '*';
const EVERYONE_LABELS = ['everyone', 'all', '所有人']; // the sender may read another language
const QUERY_MAX = 64;
export const MENTIONS_MAX = 50; // of the protocol
const WORD_END = /[\p{Script=Latin}\p{N}_.-]$/u;
const WORD_BEGIN = /^[\p{Script=Latin}\p{N}_]/u;

// Of the @ that the caret is behind: {from, query}, or null. An address has one too, but within a word.
export function mentionAt(text, caret) {
    const before = text.slice(Math.max(0, caret - QUERY_MAX - 1), caret);
    const at = before.lastIndexOf('@');
    if (at < 0)
        return null;
    const query = before.slice(at + 1);
    const from = caret - query.length - 1;
    return /\s/.test(query) || WORD_END.test(text.slice(0, from)) ? null : {from, query};
}

// Of people, {id, name}, those whom the query may mean, the best first.
export function matching(query, people, count) {
    const wanted = query.toLowerCase();
    const rank = ({id, name}) => {
        const lower = name.toLowerCase();
        if (lower.startsWith(wanted) || id.toLowerCase().startsWith(wanted))
            return 0;
        return lower.split(/[\s._-]+/).some((word) => word.startsWith(wanted)) ? 1 : lower.includes(wanted) ? 2 : 3;
    };
    return people.map((person) => ({person, rank: rank(person)})).filter((p) => p.rank < 3)
        .sort((a, b) => a.rank - b.rank || a.person.name.localeCompare(b.person.name)).slice(0, count).map((p) => p.person);
}

// The text with the label in place of what was typed, and where the caret goes.
export function completed(text, {from, query}, label) {
    const rest = text.slice(from + 1 + query.length).replace(/^ /, '');
    const begin = `${text.slice(0, from)}@${label} `;
    return {text: begin + rest, caret: begin.length};
}

// What a text may say for whom: label -> user id, or EVERYONE. people: {id, name}; a name that two of them have says for
// neither, unless it is in `chosen` (label -> id), which the user has picked.
export function labelsOf(people, chosen, everyone) {
    const labels = new Map();
    for (const {name, id} of people)
        labels.set(name, labels.has(name) && labels.get(name) !== id ? null : id);
    people.forEach(({id}) => labels.set(id, id));
    if (everyone)
        EVERYONE_LABELS.filter((label) => !labels.has(label)).forEach((label) => labels.set(label, EVERYONE));
    chosen.forEach((id, label) => labels.set(label, id));
    for (const [label, id] of labels) {
        if (id === null || label === '')
            labels.delete(label);
    }
    return labels;
}

// [{from, to, id}]: where the text says one of the labels, the longest that fits.
export function mentionSpans(text, labels) {
    const byLength = [...labels.keys()].sort((a, b) => b.length - a.length);
    const spans = [];
    for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
        if (WORD_END.test(text.slice(Math.max(0, at - 2), at)))
            continue;
        const label = byLength.find((l) => text.startsWith(l, at + 1) &&
            !(WORD_END.test(l) && WORD_BEGIN.test(text.slice(at + 1 + l.length, at + 3 + l.length))));
        if (label !== undefined)
            spans.push({from: at, to: at + 1 + label.length, id: labels.get(label)});
    }
    return spans;
}

// The `mentions` of a message with that text.
export function mentionsIn(text, labels) {
    const ids = new Set(mentionSpans(text, labels).map(({id}) => id));
    return ids.has(EVERYONE) ? [EVERYONE] : [...ids].slice(0, MENTIONS_MAX);
}

// Whether a message mentions that user.
export function mentionsUser({mentions, is_recalled}, userId) {
    return !is_recalled && Array.isArray(mentions) && (mentions.includes(userId) || mentions.includes(EVERYONE));
}

// Where a text says whom its message mentions. mentions: [{id, name}]
export function spansOfMentions(text, mentions) {
    const people = mentions.filter(({id}) => id !== EVERYONE);
    return mentions.length === 0 ? [] : mentionSpans(text, labelsOf(people, new Map(), people.length < mentions.length));
}
